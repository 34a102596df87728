#include "sidecar/cron/cron_expression.hpp"

#include <algorithm>
#include <bit>

#include "sidecar/cron/cron_parser.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::local_days;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::weekday;
using std::chrono::year_month_day;

/// The calendar repeats itself after 400 years: a date that does not occur within them never
/// occurs.
constexpr days calendar_cycle(146'097);

/// Nanoseconds since 1970 in 64 bits end in 2262.
constexpr Instant last_instant{std::chrono::sys_days(std::chrono::year(2262) / 1 / 1)};

bool has(std::uint64_t set, unsigned number) {
  return ((set >> number) & 1U) != 0;
}

/// The smallest number in the set that is not below `from`; 64 if there is none.
int first_in(std::uint64_t set, std::int64_t from) {
  return from > 63 ? 64 : std::countr_zero(set & (~0ULL << static_cast<unsigned>(from)));
}

}  // namespace

Result<CronExpression> CronExpression::parse(std::string_view text) {
  const Result<Fields> fields = parse_cron_fields(text);
  if (!fields.ok()) return fields.error();
  const CronExpression expression(fields.value());
  if (!expression.first_wall(local_days())) {
    return Error{"it never fires: none of its months has such a day"};
  }
  return expression;
}

bool CronExpression::matches_day(local_days day) const {
  const year_month_day date(day);
  const bool is_last = year_month_day(day + days(1)).month() != date.month();
  const bool day_matches =
      has(fields_.days, static_cast<unsigned>(date.day())) || (is_last && fields_.has_last_day);
  const bool weekday_matches = has(fields_.weekdays, weekday(day).c_encoding());
  if (fields_.days_begin_with_star || fields_.weekdays_begin_with_star) {
    return day_matches && weekday_matches;
  }
  return day_matches || weekday_matches;
}

std::optional<seconds> CronExpression::first_in_day(seconds from) const {
  const minutes start = std::chrono::ceil<minutes>(from);
  const hours start_hour = std::chrono::floor<hours>(start);
  int hour = first_in(fields_.hours, start_hour.count());
  int minute =
      first_in(fields_.minutes, hour == start_hour.count() ? (start - start_hour).count() : 0);
  if (minute >= 60) {
    hour = first_in(fields_.hours, start_hour.count() + 1);
    minute = first_in(fields_.minutes, 0);
  }
  if (hour >= 24) return std::nullopt;
  return hours(hour) + minutes(minute);
}

std::optional<WallClock> CronExpression::first_wall(WallClock from) const {
  local_days day = std::chrono::floor<days>(from);
  seconds time_of_day = from - day;
  const local_days end = day + calendar_cycle;
  while (day <= end) {
    const year_month_day date(day);
    if (!has(fields_.months, static_cast<unsigned>(date.month()))) {
      const auto next_month = date.year() / date.month() + std::chrono::months(1);
      day = local_days(next_month / 1);
      time_of_day = seconds(0);
      continue;
    }
    if (matches_day(day)) {
      if (const auto time = first_in_day(time_of_day)) return day + *time;
    }
    day += days(1);
    time_of_day = seconds(0);
  }
  return std::nullopt;
}

std::optional<Instant> CronExpression::next_after(Instant after, const TimeZone& zone) const {
  // Span by span: within one, wall times and instants differ only by the offset.
  Instant from = std::clamp(after, Instant(), last_instant) + seconds(1);
  while (from < last_instant) {
    const ZoneSpan span = zone.span_at(from);
    // Clocks that went forward skip wall times, which belong to the beginning of the span; clocks
    // that went back repeat earlier ones. Expressions that follow real time need neither rule.
    const WallClock begin =
        fields_.hours_begin_with_star ? span.wall(span.begin) : span.wall_before();
    const WallClock start = from == span.begin ? begin : std::max(begin, span.wall(from));
    const std::optional<WallClock> wall = first_wall(start);
    if (!wall) return std::nullopt;
    const Instant instant = std::max(span.instant(*wall), span.begin);
    if (instant >= last_instant) return std::nullopt;
    if (instant < span.end) return instant;
    from = span.end;
  }
  return std::nullopt;
}

}  // namespace outrider::sidecar
