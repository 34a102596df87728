// CronExpression: the five fields of crontab(5), and their next run.
//
//     minute (0-59)  hour (0-23)  day of month (1-31)  month (1-12, jan-dec)  day of week (0-7,
//     sun-sat; 0 and 7 are Sunday)
//
// A field is `*`, a number or a name, a range 1-5, several of these separated by commas, or a step
// after `*` or a range: */15, 8-18/2. In day of month, L is the month's last day. One word can
// replace all five fields: @hourly, @daily or @midnight, @weekly, @monthly, @yearly or @annually.
//
// The days: if day of month and day of week are both restricted, a day on which either matches
// counts; otherwise both must match. A field that begins with `*`, even */2, is not restricted.
// cron does the same.
//
// When clocks are changed:
// - An expression whose hour begins with `*` follows real time: it fires at each instant whose wall
//   time matches. `*/5 * * * *` fires every five minutes, also during the hour that is repeated.
// - Any other expression has fixed hours, and each of its wall times is one run. One that does not
//   exist (clocks go forward) fires at the first instant after the gap; one that exists twice
//   (clocks go back) fires the first time. Runs that fall on the same instant are one run.
//
// Used by the configuration (checks and explains) and by schedule (fires). Pure values, immutable.
// Fails with: an Error that names the field and says what is allowed; an expression that never
// fires (30 February) is an error too. Work: a few microseconds for each call, less than a
// millisecond for the rarest expressions (a 29 February that is a Sunday).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sidecar/base/result.hpp"
#include "sidecar/cron/time_zone.hpp"

namespace outrider::sidecar {

class CronExpression {
 public:
  /// The matches of the fields: bit n is the number n. Sunday is only bit 0.
  struct Fields {
    std::uint64_t minutes = 0;
    std::uint64_t hours = 0;
    std::uint64_t days = 0;
    std::uint64_t months = 0;
    std::uint64_t weekdays = 0;
    bool has_last_day = false;  ///< of each month, besides `days`
    bool hours_begin_with_star = false;
    bool days_begin_with_star = false;
    bool weekdays_begin_with_star = false;
  };

  static Result<CronExpression> parse(std::string_view text);

  /// The first run after `after`; none if that is later than the year 2261.
  std::optional<Instant> next_after(Instant after, const TimeZone& zone) const;

 private:
  explicit CronExpression(const Fields& fields) : fields_(fields) {}

  bool matches_day(std::chrono::local_days day) const;
  std::optional<WallClock> first_wall(WallClock from) const;
  std::optional<std::chrono::seconds> first_in_day(std::chrono::seconds from) const;

  Fields fields_;
};

}  // namespace outrider::sidecar
