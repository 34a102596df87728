// The tables of all metrics: one row each, in one table for each kind of value they are read from.
//
// Used by format_metrics, which writes them, and by metrics_reference, which describes them.
// A name is never reused for something else. A metric that gets a new name keeps a row with the old
// one for a release. Constants; thread: any.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sidecar/admin/metrics_process.hpp"
#include "sidecar/admin/metrics_writer.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

/// About the answer itself.
struct MetricsAnswer {
  Duration snapshot_age{};
  std::uint64_t destinations_left_out = 0;
  std::uint64_t schedules_left_out = 0;
};

template <typename Item>
struct MetricRow {
  MetricHead head;
  void (*read)(const Item&, MetricsWriter&);
};

/// For MetricsAnswer, Snapshot, SpoolSnapshot, DestinationSnapshot, ScheduleSnapshot and
/// ProcessUsage.
template <typename Item>
std::span<const MetricRow<Item>> metric_rows();

/// A table as the page shows it.
struct MetricGroup {
  std::string_view title;
  std::string_view text;
  std::string_view item_label;  ///< "destination", "schedule" or empty
  std::vector<MetricHead> metrics;
};

/// In the order of the answer.
std::vector<MetricGroup> metric_groups();

}  // namespace outrider::sidecar
