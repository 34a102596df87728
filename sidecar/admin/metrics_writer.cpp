#include "sidecar/admin/metrics_writer.hpp"

#include <array>
#include <charconv>

namespace outrider::sidecar {
namespace {

constexpr std::uint64_t ns_per_s = 1'000'000'000;

void append_escaped(std::string_view value, std::string& text) {
  for (const char c : value) {
    switch (c) {
      case '\\':
        text += "\\\\";
        break;
      case '"':
        text += "\\\"";
        break;
      case '\n':
        text += "\\n";
        break;
      default:
        text += c;
    }
  }
}

void append_label(std::string_view name, std::string_view value, std::string& text) {
  text += name;
  text += "=\"";
  append_escaped(value, text);
  text += '"';
}

/// Exact, without a trailing 0 behind the point: "12.5".
std::string seconds_text(Duration duration) {
  const std::int64_t signed_ns = duration.count();
  const auto bits = static_cast<std::uint64_t>(signed_ns);
  const std::uint64_t ns = signed_ns < 0 ? 0 - bits : bits;
  std::string text = (signed_ns < 0 ? "-" : "") + std::to_string(ns / ns_per_s);
  std::uint64_t fraction = ns % ns_per_s;
  if (fraction == 0) return text;
  std::array<char, 10> digits{'.'};
  for (std::size_t i = digits.size() - 1; i > 0; --i) {
    digits[i] = static_cast<char>('0' + fraction % 10);
    fraction /= 10;
  }
  std::string_view shown(digits.data(), digits.size());
  shown.remove_suffix(digits.size() - 1 - shown.find_last_not_of('0'));
  return text.append(shown);
}

}  // namespace

std::string_view name_of(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return "counter";
    case MetricType::gauge:
      return "gauge";
    case MetricType::histogram:
      return "histogram";
  }
  return "";
}

std::string MetricsWriter::label(std::string_view name, std::string_view value) {
  std::string text;
  append_label(name, value, text);
  return text;
}

void MetricsWriter::begin(const MetricHead& head) {
  head_ = head;
  has_head_ = false;
}

void MetricsWriter::begin_line(std::string_view suffix, std::string_view label_name,
                               std::string_view label_value) {
  if (!has_head_) {
    has_head_ = true;
    text_ += "# HELP ";
    ((text_ += head_.name) += ' ') += head_.help;
    text_ += "\n# TYPE ";
    (((text_ += head_.name) += ' ') += name_of(head_.type)) += '\n';
  }
  (text_ += head_.name) += suffix;
  if (!item_label_.empty() || !label_name.empty()) {
    text_ += '{';
    text_ += item_label_;
    if (!item_label_.empty() && !label_name.empty()) text_ += ',';
    if (!label_name.empty()) append_label(label_name, label_value, text_);
    text_ += '}';
  }
  text_ += ' ';
}

void MetricsWriter::end_line() {
  text_ += '\n';
  ++samples_;
}

template <typename Number>
void MetricsWriter::put(Number number) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  text_.append(digits.data(), end);
}

void MetricsWriter::add_sample(std::string_view label_value, std::uint64_t count) {
  begin_line({}, label_value.empty() ? std::string_view() : head_.label, label_value);
  put(count);
  end_line();
}

void MetricsWriter::add(Duration duration) {
  add({}, duration);
}

void MetricsWriter::add(std::string_view label_value, Duration duration) {
  begin_line({}, label_value.empty() ? std::string_view() : head_.label, label_value);
  text_ += seconds_text(duration);
  end_line();
}

void MetricsWriter::add(const DurationHistogram& histogram) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    count += histogram.counts[i];
    begin_line("_bucket", "le",
               i < histogram.bounds.size() ? seconds_text(histogram.bounds[i]) : "+Inf");
    put(count);
    end_line();
  }
  begin_line("_sum", {}, {});
  put(histogram.sum.count());
  end_line();
  begin_line("_count", {}, {});
  put(count);
  end_line();
}

}  // namespace outrider::sidecar
