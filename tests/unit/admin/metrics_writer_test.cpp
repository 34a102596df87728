// The text of single samples.
#include "sidecar/admin/metrics_writer.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

/// The samples alone.
template <typename... Values>
std::string written(MetricType type, std::string_view label, Values... values) {
  MetricsWriter out(0);
  out.begin({"m", type, "Help.", label});
  out.add(values...);
  std::string text = out.take();
  const std::string head = "# HELP m Help.\n# TYPE m " + std::string(name_of(type)) + "\n";
  EXPECT_TRUE(text.starts_with(head)) << text;
  return text.substr(head.size());
}

TEST(MetricsWriter, WritesNumbersBeyond53BitsExactly) {
  EXPECT_EQ(written(MetricType::counter, "", std::uint64_t{9'007'199'254'740'993}),
            "m 9007199254740993\n");
  EXPECT_EQ(written(MetricType::counter, "", std::numeric_limits<std::uint64_t>::max()),
            "m 18446744073709551615\n");
}

TEST(MetricsWriter, WritesDurationsAsSecondsExactly) {
  const std::vector<std::pair<Duration, std::string>> table = {
      {0ns, "m 0\n"},
      {1ns, "m 0.000000001\n"},
      {1500ms, "m 1.5\n"},
      {-1500ms, "m -1.5\n"},
      {1h, "m 3600\n"},
      {Duration::max(), "m 9223372036.854775807\n"},
      {Duration::min(), "m -9223372036.854775808\n"},
  };
  for (const auto& [duration, text] : table) {
    EXPECT_EQ(written(MetricType::gauge, "", duration), text);
  }
}

TEST(MetricsWriter, WritesFlagsTimesAndOptionals) {
  EXPECT_EQ(written(MetricType::gauge, "", true), "m 1\n");
  EXPECT_EQ(written(MetricType::gauge, "", false), "m 0\n");
  EXPECT_EQ(written(MetricType::gauge, "", WallTime(1'800'000'000s + 250ms)), "m 1800000000.25\n");
  EXPECT_EQ(written(MetricType::gauge, "", std::optional<std::uint64_t>(7)), "m 7\n");
}

TEST(MetricsWriter, AMetricWithoutASampleHasNoHead) {
  MetricsWriter out(0);
  out.begin({"m", MetricType::gauge, "Help.", ""});
  out.add(std::optional<Duration>());
  EXPECT_EQ(out.take(), "");
}

TEST(MetricsWriter, EscapesLabels) {
  EXPECT_EQ(MetricsWriter::label("name", "a\\b\"c\nd"), R"(name="a\\b\"c\nd")");
  EXPECT_EQ(written(MetricType::counter, "reason", std::string_view("x\"y"), std::uint64_t{1}),
            "m{reason=\"x\\\"y\"} 1\n");
}

TEST(MetricsWriter, JoinsTheLabelsOfItemAndRow) {
  MetricsWriter out(0);
  const std::string item = MetricsWriter::label("destination", "a");
  out.set_item(item);
  out.begin({"m", MetricType::counter, "Help.", "reason"});
  out.add("x", std::uint64_t{1});
  out.add(std::uint64_t{2});
  EXPECT_TRUE(
      out.take().ends_with("m{destination=\"a\",reason=\"x\"} 1\nm{destination=\"a\"} 2\n"));
  EXPECT_EQ(out.samples(), 2U);
}

TEST(MetricsWriter, BucketsAreCumulative) {
  DurationHistogram histogram;
  histogram.add(1ms, 3);
  histogram.add(2ms);
  histogram.add(61s);
  EXPECT_EQ(written(MetricType::histogram, "", histogram),
            "m_bucket{le=\"0.001\"} 3\n"
            "m_bucket{le=\"0.01\"} 4\n"
            "m_bucket{le=\"0.1\"} 4\n"
            "m_bucket{le=\"0.5\"} 4\n"
            "m_bucket{le=\"2\"} 4\n"
            "m_bucket{le=\"10\"} 4\n"
            "m_bucket{le=\"60\"} 4\n"
            "m_bucket{le=\"+Inf\"} 5\n"
            "m_sum 61.005\n"
            "m_count 5\n");
}

}  // namespace
}  // namespace outrider::sidecar
