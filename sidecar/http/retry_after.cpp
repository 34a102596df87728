#include "sidecar/http/retry_after.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <string>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {

namespace {

constexpr std::size_t text_bytes_max = 64;

struct DateParts {
  int year = 0;
  char month[4] = "";
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

bool is_whole(int fields, int end, const std::string& text) {
  return fields == 6 && end == static_cast<int>(text.size());
}

std::optional<DateParts> split_date(const std::string& text) {
  DateParts d;
  int end = 0;
  // NOLINTBEGIN(cert-err34-c): at most four digits each, which always fit
  // Sun, 06 Nov 1994 08:49:37 GMT
  int fields = std::sscanf(text.c_str(), "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n",
                           &d.day, d.month, &d.year, &d.hour, &d.minute, &d.second, &end);
  if (is_whole(fields, end, text)) return d;
  // Sunday, 06-Nov-94 08:49:37 GMT
  fields = std::sscanf(text.c_str(), "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &d.day,
                       d.month, &d.year, &d.hour, &d.minute, &d.second, &end);
  if (is_whole(fields, end, text)) {
    d.year += d.year < 70 ? 2000 : 1900;
    return d;
  }
  // Sun Nov  6 08:49:37 1994
  fields = std::sscanf(text.c_str(), "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", d.month,
                       &d.day, &d.hour, &d.minute, &d.second, &d.year, &end);
  // NOLINTEND(cert-err34-c)
  if (is_whole(fields, end, text)) return d;
  return std::nullopt;
}

std::optional<WallTime> parse_date(std::string_view untrimmed) {
  static constexpr std::array<std::string_view, 12> months = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::string_view text = trim(untrimmed);
  if (text.size() > text_bytes_max) return std::nullopt;
  const std::optional<DateParts> parts = split_date(std::string(text));
  if (!parts) return std::nullopt;
  const auto* const month = std::find(months.begin(), months.end(), parts->month);
  if (month == months.end() || parts->hour > 23 || parts->minute > 59 || parts->second > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(
      std::chrono::year(parts->year),
      std::chrono::month(static_cast<unsigned>(month - months.begin()) + 1),
      std::chrono::day(static_cast<unsigned>(parts->day)));
  // A clock of nanoseconds ends in 2262.
  if (!date.ok() || parts->year < 1970 || parts->year > 2261) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(parts->hour) +
         std::chrono::minutes(parts->minute) + std::chrono::seconds(parts->second);
}

}  // namespace

std::optional<Duration> parse_retry_after(std::string_view text, std::string_view date_header,
                                          WallTime now) {
  text = trim(text);
  if (text.empty() || text.size() > text_bytes_max) return std::nullopt;
  std::uint64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (end == text.data() + text.size()) {
    const std::chrono::seconds max =
        std::chrono::duration_cast<std::chrono::seconds>(retry_after_max);
    if (error != std::errc{}) return retry_after_max;
    return std::chrono::seconds(std::min<std::uint64_t>(seconds, max.count()));
  }
  const std::optional<WallTime> date = parse_date(text);
  if (!date) return std::nullopt;
  const WallTime from = parse_date(date_header).value_or(now);
  return std::clamp<Duration>(*date - from, Duration::zero(), retry_after_max);
}

}  // namespace outrider::sidecar
