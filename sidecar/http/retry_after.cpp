#include "sidecar/http/retry_after.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <string>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {

namespace {

constexpr std::size_t text_bytes_max = 64;

/// The three forms of RFC 9110 for strptime(), whose %a takes the whole name of the day as well.
/// libcurl's curl_getdate() is no choice: it takes "31 Jan 2026" too, and whatever follows a date.
constexpr std::array date_forms = {
    "%a, %d %b %Y %H:%M:%S GMT",  // Sun, 06 Nov 1994 08:49:37 GMT
    "%a, %d-%b-%y %H:%M:%S GMT",  // Sunday, 06-Nov-94 08:49:37 GMT
    "%a %b %d %H:%M:%S %Y",       // Sun Nov  6 08:49:37 1994
};

std::optional<WallTime> parse_date(std::string_view untrimmed) {
  // Names are English, also where an embedding program has set another locale.
  static const locale_t english = newlocale(LC_ALL_MASK, "C", nullptr);
  const std::string text(trim(untrimmed));
  for (const char* form : date_forms) {
    std::tm parts{};
    const char* end = strptime_l(text.c_str(), form, &parts, english);
    if (end != text.c_str() + text.size()) continue;
    const int year = parts.tm_year + 1900;
    const auto date = std::chrono::year(year) / (parts.tm_mon + 1) / parts.tm_mday;
    // A clock of nanoseconds ends in 2262.
    if (!date.ok() || year < 1970 || year > 2261) return std::nullopt;
    return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(parts.tm_hour) +
           std::chrono::minutes(parts.tm_min) + std::chrono::seconds(parts.tm_sec);
  }
  return std::nullopt;
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
