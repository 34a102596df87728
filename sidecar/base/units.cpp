#include "sidecar/base/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> duration_units_ms = {
    {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> size_units = {
    {{"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}, {"", 1}}};

constexpr std::uint64_t too_large = UINT64_MAX;
constexpr std::uint64_t size_bytes_max = 1ULL << 50U;

/// Splits "250ms" into 250 and "ms"; a number that does not fit is the largest. False when it does
/// not begin with a number.
bool split_number(std::string_view text, std::uint64_t& number, std::string_view& unit) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument) return false;
  if (error == std::errc::result_out_of_range) number = too_large;
  unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return true;
}

/// In the smallest unit, `too_large` if it does not fit; nothing if it is not written like that.
template <typename Units>
std::optional<std::uint64_t> scale(std::string_view text, const Units& units) {
  std::uint64_t number = 0;
  std::string_view unit;
  if (!split_number(text, number, unit)) return std::nullopt;
  for (const auto& [name, factor] : units) {
    if (unit == name) return number > too_large / factor ? too_large : number * factor;
  }
  return std::nullopt;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t quoted_bytes_max = 200;
  return "\"" + printable(text, quoted_bytes_max) + "\"";
}

}  // namespace

Result<Duration> saturated_duration(std::string_view text) {
  if (text == "0") return Duration::zero();
  const std::optional<std::uint64_t> value_ms = scale(text, duration_units_ms);
  if (!value_ms) {
    return Error{quoted(text) +
                 " is not a duration; write a whole number and ms, s, m or h, as in 250ms or 5s"};
  }
  constexpr auto largest_ms = std::chrono::duration_cast<milliseconds>(Duration::max());
  const auto fitting_ms = std::min(*value_ms, static_cast<std::uint64_t>(largest_ms.count()));
  return Duration(milliseconds(fitting_ms));
}

Result<Duration> parse_duration(std::string_view text) {
  Result<Duration> duration = saturated_duration(text);
  if (!duration.ok() || duration.value() <= duration_max) return duration;
  return Error{quoted(text) + " is too long; at most " + format_duration(duration_max) +
               " is allowed"};
}

Result<std::uint64_t> saturated_size(std::string_view text) {
  if (const auto bytes = scale(text, size_units)) return *bytes;
  return Error{quoted(text) +
               " is not a size; write a whole number of bytes, or one with KiB, MiB or GiB, as "
               "in 64KiB"};
}

Result<std::uint64_t> parse_size(std::string_view text) {
  Result<std::uint64_t> bytes = saturated_size(text);
  if (!bytes.ok() || bytes.value() <= size_bytes_max) return bytes;
  return Error{quoted(text) + " is too large; at most " + format_size(size_bytes_max) +
               " is allowed"};
}

Result<std::uint64_t> saturated_count(std::string_view text) {
  std::uint64_t number = 0;
  std::string_view rest;
  if (split_number(text, number, rest) && rest.empty()) return number;
  return Error{quoted(text) + " is not a whole number"};
}

Result<std::uint64_t> parse_count(std::string_view text) {
  Result<std::uint64_t> number = saturated_count(text);
  if (!number.ok() || number.value() < too_large) return number;
  return Error{quoted(text) + " is too large a number"};
}

std::string format_duration(Duration duration) {
  const auto value_ms =
      static_cast<std::uint64_t>(std::chrono::round<milliseconds>(duration).count());
  if (value_ms == 0) return "0";
  for (const auto& [name, factor] : duration_units_ms) {
    if (value_ms % factor == 0) return std::to_string(value_ms / factor) + std::string(name);
  }
  return std::to_string(value_ms) + "ms";
}

std::string format_size(std::uint64_t bytes) {
  for (const auto& [name, factor] : size_units) {
    if (bytes >= factor && bytes % factor == 0) {
      return std::to_string(bytes / factor) + std::string(name);
    }
  }
  return "0";
}

}  // namespace outrider::sidecar
