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

/// When it runs, and by which zone's clock.
inline void change_expression(sidecar::ScheduleConfig& schedule, sidecar::Random& random) {
  static constexpr std::array crons = {"* * * * *", "*/5 * * * *", "*/7 3-20 * * *"};
  static constexpr std::array zones = {"UTC", "Europe/Berlin", "Asia/Kolkata"};
  schedule.cron = crons[random.below(crons.size())];
  schedule.timezone = zones[random.below(zones.size())];
}

inline sidecar::ScheduleConfig random_schedule(sidecar::Random& random, std::uint64_t number) {
  static constexpr std::array topics = {"orders.paid", "orders.open", "users.new"};
  sidecar::ScheduleConfig schedule;
  schedule.name = "s" + std::to_string(number);
  change_expression(schedule, random);
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
  /// It runs by this expression from here on; the first of its name at any time, for the clock may
  /// be behind.
  void begin(const sidecar::ScheduleConfig& schedule, sidecar::Instant since) {
    const bool is_first = std::ranges::find(eras_, schedule.name, &Era::name) == eras_.end();
    eras_.push_back({schedule.name, is_first ? sidecar::Instant::min() : since,
                     sidecar::CronExpression::parse(schedule.cron).value(),
                     sidecar::TimeZone::load(schedule.timezone).value()});
  }
  /// The clock was set. If it shows an earlier time than that at which an expression began, the
  /// expression runs from there on, unless its mark is on disk already.
  void set_clock(const sidecar::Now& now) {
    note(now);
    const sidecar::Instant at = std::chrono::floor<std::chrono::seconds>(now.wall);
    for (Era& era : eras_) {
      if (is_in_force(era)) era.since = std::min(era.since, at);
    }
  }
  /// A run of this time belongs to an expression that was in force.
  bool was_due(const std::string& name, sidecar::Instant run) const {
    return std::ranges::any_of(eras_, [&](const Era& era) {
      return era.name == name && run >= era.since &&
             era.expression.next_after(run - std::chrono::seconds(1), era.zone) == run;
    });
  }
  /// A run found no room: how many were missed behind it, nobody outside can tell.
  void note_refusal() { has_refused_ = true; }

  /// `runs`: those that a destination has got, or that are on disk for it; `last`: as it is noted.
  void check(const sidecar::ScheduleConfig& schedule, const std::string& destination,
             sidecar::Instant began, sidecar::Instant last,
             const std::set<sidecar::Instant>& runs) const {
    if (has_refused_) return;
    const auto expression = sidecar::CronExpression::parse(schedule.cron).value();
    const auto zone = sidecar::TimeZone::load(schedule.timezone).value();
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
  struct Era {
    std::string name;
    sidecar::Instant since;
    sidecar::CronExpression expression;
    sidecar::TimeZone zone;
  };

  bool is_in_force(const Era& era) const {
    return std::ranges::none_of(
        eras_, [&](const Era& later) { return &later > &era && later.name == era.name; });
  }
  void check_gap(const sidecar::ScheduleConfig& schedule, const std::string& destination,
                 sidecar::Instant from, sidecar::Instant missing, sidecar::Instant to) const {
    constexpr std::chrono::seconds late{70};
    const bool has_reason = std::ranges::any_of(times_, [&](const auto& time) {
      return time.first <= to + late && time.second + late >= from;
    });
    EXPECT_TRUE(has_reason) << destination << " has not got the run of " << schedule.name << " ("
                            << schedule.cron << ' ' << schedule.timezone << ") at "
                            << missing.time_since_epoch().count();
  }

  std::vector<Era> eras_;
  std::vector<std::pair<sidecar::Instant, sidecar::Instant>> times_;
  bool is_open_ = false;
  bool has_refused_ = false;
};

}  // namespace outrider::test
