// What the simulation of the spool expects of schedules: each run once at each destination, or
// missed for a reason.
//
// A run may be missing only if something has gone on when it was due, or when the run behind it was
// made: the sidecar was down, a clock was set, the disk was in trouble. Such times are noted here
// by the wall clock.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/config/schedule_config.hpp"
#include "sidecar/cron/cron_expression.hpp"

namespace outrider::test {

inline sidecar::ScheduleConfig random_schedule(sidecar::Random& random, std::uint64_t number) {
  static constexpr std::array crons = {"* * * * *", "*/5 * * * *", "*/7 3-20 * * *"};
  static constexpr std::array topics = {"orders.paid", "orders.open", "users.new"};
  sidecar::ScheduleConfig schedule;
  schedule.name = "s" + std::to_string(number);
  schedule.cron = crons[random.below(crons.size())];
  schedule.topic = topics[random.below(topics.size())];
  schedule.data = R"({"n":0})";
  schedule.missed = static_cast<sidecar::MissedRuns>(random.below(3));
  schedule.missed_max = 1 + random.below(50);
  return schedule;
}

/// The time in an id like s1/2026-01-31T12:00:00Z.
inline sidecar::Instant run_of(const std::string& id) {
  const std::size_t at = id.find('/') + 1;
  const auto number = [&](std::size_t from, std::size_t digits) {
    int value = 0;
    std::from_chars(id.data() + at + from, id.data() + at + from + digits, value);
    return value;
  };
  const std::chrono::year_month_day day{std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  return std::chrono::sys_days(day) + std::chrono::hours(number(11, 2)) +
         std::chrono::minutes(number(14, 2)) + std::chrono::seconds(number(17, 2));
}

class ScheduleOracle {
 public:
  /// Something has happened, at this moment; or goes on from here until end_trouble().
  void note(const sidecar::Now& now) {
    const sidecar::Instant at = std::chrono::floor<std::chrono::seconds>(now.wall);
    if (!is_open_) times_.push_back({at, at});
    times_.back().first = std::min(times_.back().first, at);
    times_.back().second = std::max(times_.back().second, at);
  }
  void begin_trouble(const sidecar::Now& now) {
    note(now);
    is_open_ = true;
  }
  void end_trouble(const sidecar::Now& now) {
    if (is_open_) note(now);
    is_open_ = false;
  }
  /// A run found no room: how many were missed behind it, nobody outside can tell.
  void note_refusal() { has_refused_ = true; }

  /// `runs`: those that a destination has got, or that are on disk for it; `last`: as it is noted.
  void check(const sidecar::ScheduleConfig& schedule, const std::string& destination,
             sidecar::Instant began, sidecar::Instant last,
             const std::set<sidecar::Instant>& runs) const {
    if (has_refused_) return;
    const auto expression = sidecar::CronExpression::parse(schedule.cron).value();
    const auto zone = sidecar::TimeZone::load("UTC").value();
    sidecar::Instant before = began;
    std::optional<sidecar::Instant> missing;
    for (auto due = expression.next_after(began, zone); due && *due <= last;
         due = expression.next_after(*due, zone)) {
      if (!runs.contains(*due)) {
        if (!missing) missing = *due;
        continue;
      }
      if (missing) check_gap(schedule, destination, before, *missing, *due);
      missing.reset();
      before = *due;
    }
    if (missing) check_gap(schedule, destination, before, *missing, last);
  }

 private:
  void check_gap(const sidecar::ScheduleConfig& schedule, const std::string& destination,
                 sidecar::Instant from, sidecar::Instant missing, sidecar::Instant to) const {
    constexpr std::chrono::seconds late{70};
    const bool has_reason = std::ranges::any_of(times_, [&](const auto& time) {
      return time.first <= to + late && time.second + late >= from;
    });
    EXPECT_TRUE(has_reason) << destination << " has not got the run of " << schedule.name << " ("
                            << schedule.cron << ") at " << missing.time_since_epoch().count();
  }

  std::vector<std::pair<sidecar::Instant, sidecar::Instant>> times_;
  bool is_open_ = false;
  bool has_refused_ = false;
};

}  // namespace outrider::test
