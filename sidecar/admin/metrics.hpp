// Metrics: a Snapshot as Prometheus text, format 0.0.4.
//
// Used by the admin server for /metrics, and by `outrider reference --metrics`. Each metric is one
// row of a table in metrics_rows.cpp: name, type, help, and how its value is read. A value that is
// not known has no line. Each reason has its line from the start, also while it is 0: a rate needs
// a first sample.
// Thread: any; functions of their arguments and, where no process is given, of /proc/self.
// Limits: lines_per_destination_max lines for each destination: 41, and two histograms of 10 lines.
// Room for series_max lines in all: 1024 destinations and 1024 schedules of a configuration fit.
// Beyond that, destinations and schedules are left out whole, and are counted in
// outrider_destinations_left_out and outrider_schedules_left_out.
#pragma once

#include <cstddef>
#include <string>

#include "sidecar/admin/metrics_process.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

inline constexpr std::size_t lines_per_destination_max = 61;
inline constexpr std::size_t lines_per_schedule_max = 5;
/// All that belongs to neither a destination nor a schedule.
inline constexpr std::size_t fixed_lines_max = 256;
inline constexpr std::size_t series_max = 68'100;

/// `age`: how long ago the snapshot was taken. The figures of the process are read now.
std::string format_metrics(const Snapshot& snapshot, Duration age);
std::string format_metrics(const Snapshot& snapshot, Duration age, const ProcessUsage& process);

/// The whole of docs/metrics.md.
std::string metrics_reference();

}  // namespace outrider::sidecar
