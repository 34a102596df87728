// Metrics: a Snapshot as Prometheus text, format 0.0.4.
//
// Used by the admin server for /metrics. Each metric is one row of a table in metrics.cpp: name,
// type, help, and how its value is read from the snapshot. A value that is not known has no line.
// Thread: any; a function of its arguments.
// Limits: lines_per_destination_max lines for each destination; beyond series_max lines in all,
// destinations are left out whole and counted in outrider_destinations_left_out.
#pragma once

#include <cstddef>
#include <string>

#include "sidecar/base/clock.hpp"
#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

inline constexpr std::size_t lines_per_destination_max = 60;
inline constexpr std::size_t series_max = 65'536;

/// `age`: how long ago the snapshot was taken.
std::string format_metrics(const Snapshot& snapshot, Duration age);

}  // namespace outrider::sidecar
