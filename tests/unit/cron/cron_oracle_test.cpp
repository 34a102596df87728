// Random expressions against a scan of every minute, in which the C library says what the clock on
// the wall shows: nothing of the product but next_after() is asked.
#include <array>
#include <ctime>

#include <stdlib.h>

#include "sidecar/base/random.hpp"
#include "unit/cron/cron_support.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

/// One field as numbers and as text.
struct Field {
  std::array<bool, 60> matches{};
  std::string text;
  bool begins_with_star = false;
};

Field random_field(Random& random, unsigned min, unsigned max, double star_chance) {
  Field field;
  const auto set = [&field](unsigned first, unsigned last, unsigned step) {
    for (unsigned n = first; n <= last; n += step) field.matches[n] = true;
  };
  if (random.chance(star_chance)) {
    const unsigned step = random.chance(0.6) ? 1 : 1 + static_cast<unsigned>(random.below(max));
    field.text = step == 1 ? "*" : "*/" + std::to_string(step);
    field.begins_with_star = true;
    set(min, max, step);
    return field;
  }
  for (std::uint64_t parts = 1 + random.below(3); parts > 0; --parts) {
    const auto first = min + static_cast<unsigned>(random.below(max - min + 1));
    const auto last = first + static_cast<unsigned>(random.below(max - first + 1));
    const auto step = 1 + static_cast<unsigned>(random.below(5));
    if (!field.text.empty()) field.text += ",";
    field.text += std::to_string(first);
    if (random.chance(0.6)) {
      set(first, first, 1);
    } else {
      field.text += "-" + std::to_string(last) + (step == 1 ? "" : "/" + std::to_string(step));
      set(first, last, step);
    }
  }
  return field;
}

struct Expression {
  explicit Expression(Random& random)
      : minute(random_field(random, 0, 59, 0.4)),
        hour(random_field(random, 0, 23, 0.3)),
        day(random_field(random, 1, 31, 0.7)),
        month(random_field(random, 1, 12, 0.8)),
        weekday(random_field(random, 0, 6, 0.7)) {}

  std::string text() const {
    return minute.text + " " + hour.text + " " + day.text + " " + month.text + " " + weekday.text;
  }

  bool matches(const std::tm& wall) const {
    const bool day_matches = day.matches[static_cast<unsigned>(wall.tm_mday)];
    const bool weekday_matches = weekday.matches[static_cast<unsigned>(wall.tm_wday)];
    const bool is_either = !day.begins_with_star && !weekday.begins_with_star;
    return minute.matches[static_cast<unsigned>(wall.tm_min)] &&
           hour.matches[static_cast<unsigned>(wall.tm_hour)] &&
           month.matches[static_cast<unsigned>(wall.tm_mon + 1)] &&
           (is_either ? day_matches || weekday_matches : day_matches && weekday_matches);
  }

  Field minute, hour, day, month, weekday;
};

/// What the wall showed in each minute of a stretch of time, and how far its clock had come.
struct Minute {
  Instant instant;
  std::tm wall;
  std::time_t wall_s;  ///< the wall time read as UTC
};

std::vector<Minute> minutes_of(Instant begin, Instant end) {
  std::vector<Minute> all;
  for (Instant instant = begin; instant < end; instant += minutes(1)) {
    const std::time_t time = instant.time_since_epoch().count();
    Minute minute{instant, {}, 0};
    localtime_r(&time, &minute.wall);
    minute.wall_s = time + minute.wall.tm_gmtoff;
    all.push_back(minute);
  }
  return all;
}

/// All runs behind the first minute. Fixed hours: each wall time once, when the clock first shows
/// it or has passed over it.
std::vector<Instant> scan(const Expression& expression, const std::vector<Minute>& stretch) {
  std::vector<Instant> fires;
  std::time_t shown = stretch.front().wall_s;
  for (auto at = std::next(stretch.begin()); at != stretch.end(); ++at) {
    const Minute& minute = *at;
    if (expression.hour.begins_with_star) {
      if (minute.wall.tm_sec == 0 && expression.matches(minute.wall)) {
        fires.push_back(minute.instant);
      }
      continue;
    }
    bool is_due = false;
    for (std::time_t wall_s = shown + 60; wall_s <= minute.wall_s; wall_s += 60) {
      std::tm wall{};
      gmtime_r(&wall_s, &wall);
      is_due = is_due || expression.matches(wall);
    }
    if (is_due) fires.push_back(minute.instant);
    shown = std::max(shown, minute.wall_s);
  }
  return fires;
}

class CronOracle : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    setenv("TZ", GetParam(), 1);
    tzset();
  }
  void TearDown() override {
    unsetenv("TZ");
    tzset();
  }
};

TEST_P(CronOracle, EveryMinuteAgrees) {
  const TimeZone zone = test::zone(GetParam());
  Random random(20'260'131);
  for (int stretch_number = 0; stretch_number < 16; ++stretch_number) {
    const std::uint64_t days_since_1990 = random.below(365 * 75);
    Instant begin = test::at("1990-01-01T00:00") + hours(24 * days_since_1990);
    // Mostly where something happens.
    const ZoneSpan span = zone.span_at(begin);
    if (!random.chance(0.2) && span.end < test::at("2100-01-01T00:00")) {
      begin = std::chrono::floor<std::chrono::days>(span.end) - hours(48);
    }
    const std::vector<Minute> stretch = minutes_of(begin, begin + hours(24 * 5));
    for (int i = 0; i < 25; ++i) {
      const Expression expression(random);
      const Result<CronExpression> parsed = CronExpression::parse(expression.text());
      if (!parsed.ok()) continue;  // 31 June
      std::vector<Instant> fires;
      for (auto next = parsed.value().next_after(begin, zone);
           next && *next <= stretch.back().instant; next = parsed.value().next_after(*next, zone)) {
        fires.push_back(*next);
      }
      EXPECT_EQ(fires, scan(expression, stretch))
          << expression.text() << " from " << zone.text(begin);
      // Asked at any moment, the answer is the same.
      const Instant middle = begin + std::chrono::seconds(random.below(5 * 86'400));
      const auto next = parsed.value().next_after(middle, zone);
      const auto first = std::upper_bound(fires.begin(), fires.end(), middle);
      if (first != fires.end()) {
        EXPECT_EQ(next, *first) << expression.text();
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Zones, CronOracle,
                         testing::Values("UTC", "Europe/Berlin", "Europe/Dublin",
                                         "America/New_York", "America/Sao_Paulo", "America/Havana",
                                         "America/St_Johns", "Africa/Casablanca", "Asia/Kathmandu",
                                         "Asia/Tehran", "Asia/Beirut", "Asia/Gaza",
                                         "Australia/Lord_Howe", "Pacific/Apia",
                                         "Antarctica/Troll"));

}  // namespace
}  // namespace outrider::sidecar
