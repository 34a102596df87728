#include "sidecar/admin/metrics.hpp"

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include "sidecar/admin/metrics_rows.hpp"
#include "sidecar/admin/metrics_writer.hpp"

namespace outrider::sidecar {
namespace {

/// A line with its labels, and a bit more.
constexpr std::size_t bytes_per_line = 112;

template <typename Item>
void write_one(const Item& item, MetricsWriter& out) {
  out.set_item({});
  for (const MetricRow<Item>& row : metric_rows<Item>()) {
    out.begin(row.head);
    row.read(item, out);
  }
}

/// All samples of one metric together, as the format wants it.
template <typename Item>
void write_each(std::span<const Item> items, std::string_view label_name, MetricsWriter& out) {
  std::vector<std::string> labels;
  labels.reserve(items.size());
  for (const Item& item : items) labels.push_back(MetricsWriter::label(label_name, item.name));
  for (const MetricRow<Item>& row : metric_rows<Item>()) {
    out.begin(row.head);
    for (std::size_t i = 0; i < items.size(); ++i) {
      out.set_item(labels[i]);
      row.read(items[i], out);
    }
  }
}

/// The first ones that there is room for.
template <typename Item>
std::span<const Item> fitting(const std::vector<Item>& items, std::size_t lines_per_item_max,
                              std::size_t& lines_left) {
  const std::size_t count = std::min(items.size(), lines_left / lines_per_item_max);
  lines_left -= count * lines_per_item_max;
  return std::span(items).first(count);
}

}  // namespace

std::string format_metrics(const Snapshot& snapshot, Duration age, const ProcessUsage& process) {
  std::size_t lines_left = series_max - fixed_lines_max;
  const auto destinations = fitting(snapshot.destinations, lines_per_destination_max, lines_left);
  const auto schedules = fitting(snapshot.schedules, lines_per_schedule_max, lines_left);

  MetricsWriter out((series_max - lines_left) * bytes_per_line);
  write_one(
      MetricsAnswer{.snapshot_age = age,
                    .destinations_left_out = snapshot.destinations.size() - destinations.size(),
                    .schedules_left_out = snapshot.schedules.size() - schedules.size()},
      out);
  write_one(snapshot, out);
  if (snapshot.spool) write_one(*snapshot.spool, out);
  write_each(destinations, "destination", out);
  write_each(schedules, "schedule", out);
  write_one(process, out);
  return out.take();
}

std::string format_metrics(const Snapshot& snapshot, Duration age) {
  return format_metrics(snapshot, age, read_process_usage());
}

}  // namespace outrider::sidecar
