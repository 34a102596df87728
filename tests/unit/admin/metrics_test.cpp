// The answer as a whole: its names, its limits, and what is not known.
#include "sidecar/admin/metrics.hpp"

#include <algorithm>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include "sidecar/admin/metrics_rows.hpp"
#include "support/full_snapshot.hpp"
#include "support/places.hpp"
#include "unit/admin/metrics_text.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

std::string file_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(test::source_path(path)).rdbuf();
  return text.str();
}

Snapshot idle_snapshot() {
  Snapshot snapshot;
  snapshot.version = "1.2.3";
  snapshot.destinations.emplace_back().name = "a";
  snapshot.schedules.emplace_back().name = "nightly";
  return snapshot;
}

std::size_t lines_with(const std::string& text, const std::string& label) {
  const auto samples = test::samples_of(text);
  return static_cast<std::size_t>(std::ranges::count_if(
      samples, [&](const auto& sample) { return sample.first.find(label) != std::string::npos; }));
}

/// One line a metric, as in tests/golden/metrics.txt: name, type, labels.
std::string names() {
  std::string text;
  for (const MetricGroup& group : metric_groups()) {
    for (const MetricHead& metric : group.metrics) {
      text.append(metric.name).append(" ").append(name_of(metric.type));
      for (const std::string_view label : {group.item_label, metric.label}) {
        if (!label.empty()) text.append(" ").append(label);
      }
      text += '\n';
    }
  }
  return text;
}

TEST(Metrics, NamesAreTheGoldenOnes) {
  EXPECT_EQ(names(), file_text("tests/golden/metrics.txt"))
      << "Alerts and dashboards of others use these names. A renamed metric keeps a row with its "
         "old "
         "name for a release.";
}

TEST(Metrics, ThePageIsFresh) {
  EXPECT_TRUE(file_text("docs/metrics.md") == metrics_reference())
      << "docs/metrics.md is not what the tables say; run ./dev docs";
}

TEST(Metrics, EachRowIsInTheAnswerOnceWithItsHead) {
  const std::string text = format_metrics(test::full_snapshot(3), 0s);
  std::set<std::string_view> seen;
  for (const MetricGroup& group : metric_groups()) {
    for (const MetricHead& metric : group.metrics) {
      EXPECT_TRUE(seen.insert(metric.name).second) << metric.name;
      const std::string name(metric.name);
      const std::string head = "# HELP " + name + " " + std::string(metric.help) + "\n# TYPE " +
                               name + " " + std::string(name_of(metric.type)) + "\n" + name;
      EXPECT_THAT(text, HasSubstr(head));
      EXPECT_EQ(metric.help.find_first_of("\\\n"), std::string_view::npos) << name;
    }
  }
}

TEST(Metrics, NoSampleComesTwice) {
  for (const auto& [sample, value] : test::samples_of(format_metrics(test::full_snapshot(3), 0s))) {
    EXPECT_NE(value, "twice") << sample;
  }
}

TEST(Metrics, CountersBeyond53BitsAreExact) {
  Snapshot snapshot = idle_snapshot();
  snapshot.destinations[0].ledger.accepted = 9'007'199'254'740'993;
  EXPECT_THAT(format_metrics(snapshot, 0s),
              HasSubstr("accepted_total{destination=\"a\"} 9007199254740993\n"));
}

TEST(Metrics, WhatIsNotKnownHasNoLine) {
  const std::string text = format_metrics(idle_snapshot(), 0s, {});
  for (const char* name : {"outrider_spool", "outrider_dead_letters", "time_to_loss", "last_run",
                           "next_run", "process_", "config_hash"}) {
    EXPECT_THAT(text, Not(HasSubstr(name)));
  }
}

TEST(Metrics, TheAgeOfTheOldestEventIs0OnlyIfThereIsNone) {
  const std::string metric = "outrider_destination_oldest_event_age_seconds";
  Snapshot snapshot = idle_snapshot();
  EXPECT_THAT(format_metrics(snapshot, 0s), HasSubstr(metric + "{destination=\"a\"} 0\n"));
  for (const auto term : {&Ledger::queued, &Ledger::in_flight}) {
    snapshot.destinations[0].ledger = {};
    snapshot.destinations[0].ledger.*term = 1;
    EXPECT_THAT(format_metrics(snapshot, 0s), Not(HasSubstr(metric)));
  }
}

TEST(Metrics, ReasonsAreThereBeforeTheirFirstEvent) {
  const std::string text = format_metrics(idle_snapshot(), 0s);
  for (const DropReasonRow& row : drop_reasons) {
    EXPECT_THAT(text, HasSubstr("dropped_total{destination=\"a\",reason=\"" +
                                std::string(row.name) + "\"} 0\n"));
  }
  for (const proto::RefusalRow& row : proto::refusals) {
    EXPECT_THAT(text, HasSubstr("refusals_total{reason=\"" + std::string(row.name) + "\"} 0\n"));
  }
}

TEST(Metrics, AHashThatIsNoneHasNoLine) {
  Snapshot snapshot = idle_snapshot();
  snapshot.config.hash = "00ffxy";
  EXPECT_THAT(format_metrics(snapshot, 0s), Not(HasSubstr("config_hash")));
}

TEST(Metrics, LinesOfADestinationAndOfAScheduleAreLimited) {
  const std::string text = format_metrics(test::full_snapshot(), 0s);
  EXPECT_EQ(lines_with(text, "destination=\"destination_0\""), lines_per_destination_max);
  EXPECT_EQ(lines_with(text, "schedule=\"schedule_0\""), lines_per_schedule_max);
}

TEST(Metrics, AllOtherLinesAreLimited) {
  Snapshot snapshot = test::full_snapshot();
  for (int i = 0; i < 1000; ++i) {
    snapshot.ingest.client_drops.emplace_back("reason_" + std::to_string(i), 1);
  }
  EXPECT_LE(test::samples_of(format_metrics(snapshot, 0s)).size(),
            fixed_lines_max + lines_per_destination_max + lines_per_schedule_max);
}

TEST(Metrics, AConfigurationWithAllItMayHaveFits) {
  const std::string text = format_metrics(test::full_snapshot(1024), 0s);
  EXPECT_THAT(text, HasSubstr("\noutrider_destinations_left_out 0\n"));
  EXPECT_THAT(text, HasSubstr("\noutrider_schedules_left_out 0\n"));
  EXPECT_THAT(text, HasSubstr("{destination=\"destination_1023\"}"));
  EXPECT_THAT(text, HasSubstr("{schedule=\"schedule_1023\"}"));
}

TEST(Metrics, BeyondTheLimitDestinationsAndSchedulesAreLeftOutWhole) {
  constexpr std::size_t items = 1200;
  constexpr std::size_t shown = (series_max - fixed_lines_max) / lines_per_destination_max;
  const std::string text = format_metrics(test::full_snapshot(items), 0s);
  const auto samples = test::samples_of(text);
  EXPECT_LE(samples.size(), series_max);
  EXPECT_EQ(samples.at("outrider_destinations"), std::to_string(items));
  EXPECT_EQ(samples.at("outrider_destinations_left_out"), std::to_string(items - shown));
  const auto label = [](std::size_t number) {
    return "destination=\"destination_" + std::to_string(number) + "\"";
  };
  EXPECT_EQ(lines_with(text, label(shown - 1)), lines_per_destination_max);
  EXPECT_EQ(lines_with(text, label(shown)), 0U);
  const std::size_t schedules_left_out = std::stoul(samples.at("outrider_schedules_left_out"));
  EXPECT_GT(schedules_left_out, 0U);
  EXPECT_EQ(lines_with(text, "schedule_runs_total{"), items - schedules_left_out);
}

/// Of this thread, in milliseconds.
double cpu_ms() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

// bench/micro_bench.cpp measures; this finds what has become slower by an order of magnitude.
TEST(Metrics, AreWrittenInTime) {
  const Snapshot snapshot = test::full_snapshot(1024);
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const double begin = cpu_ms();
    const std::string text = format_metrics(snapshot, 0s);
    best = std::min(best, cpu_ms() - begin);
  }
#ifdef OUTRIDER_SANITIZED
  EXPECT_LT(best, 2000);
#else
  EXPECT_LT(best, 150);
#endif
}

}  // namespace
}  // namespace outrider::sidecar
