// MetricsWriter: samples as Prometheus text, one metric after the other.
//
// Used by format_metrics and by the rows of its tables, whose readers hand their values to add().
// The lines "# HELP" and "# TYPE" come with a metric's first sample: a metric without any has none.
// Numbers are written exactly, also beyond 2^53: nothing becomes a double on its way.
// Thread: one object, one thread. Borrows: the name, the help and the label of the current metric,
// and the current item's label.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sidecar/base/clock.hpp"
#include "sidecar/observe/duration_histogram.hpp"

namespace outrider::sidecar {

enum class MetricType : std::uint8_t { counter, gauge, histogram };
std::string_view name_of(MetricType type);

/// The part of a row that the text needs.
struct MetricHead {
  std::string_view name;
  MetricType type{};
  std::string_view help;
  std::string_view label;  ///< besides the item's own; may be empty
};

class MetricsWriter {
 public:
  explicit MetricsWriter(std::size_t bytes_expected) { text_.reserve(bytes_expected); }

  void begin(const MetricHead& head);
  /// `name="value"` as label() writes it; empty: the metric belongs to no item.
  void set_item(std::string_view item_label) { item_label_ = item_label; }

  // A sample without a label of its own; an empty optional has no line.
  template <std::same_as<std::uint64_t> Count>
  void add(Count count) {
    add_sample({}, count);
  }
  template <std::same_as<bool> Flag>
  void add(Flag flag) {
    add_sample({}, flag ? 1 : 0);
  }
  void add(Duration duration);
  void add(WallTime time) { add(time.time_since_epoch()); }
  void add(const DurationHistogram& histogram);
  template <typename Value>
  void add(const std::optional<Value>& value) {
    if (value) add(*value);
  }

  // One with the row's label.
  void add(std::string_view label_value, std::uint64_t count) { add_sample(label_value, count); }
  void add(std::string_view label_value, Duration duration);

  std::size_t samples() const { return samples_; }
  std::string take() { return std::move(text_); }

  /// `name="value"`, with the value escaped.
  static std::string label(std::string_view name, std::string_view value);

 private:
  void add_sample(std::string_view label_value, std::uint64_t count);
  void begin_line(std::string_view suffix, std::string_view label_name,
                  std::string_view label_value);
  void end_line();
  /// The shortest text that means the same number.
  template <typename Number>
  void put(Number number);

  MetricHead head_;
  bool has_head_ = false;
  std::string_view item_label_;
  std::size_t samples_ = 0;
  std::string text_;
};

}  // namespace outrider::sidecar
