#include "sidecar/base/units.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace outrider::sidecar {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> duration_units_ms = {
    {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> size_units = {
    {{"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}, {"", 1}}};

/// Splits "250ms" into 250 and "ms"; false when it does not begin with a number that fits.
bool split_number(std::string_view text, std::uint64_t& number, std::string_view& unit) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return true;
}

template <typename Units>
bool scale(std::string_view text, const Units& units, std::uint64_t max, std::uint64_t& out) {
  std::uint64_t number = 0;
  std::string_view unit;
  if (!split_number(text, number, unit)) return false;
  for (const auto& [name, factor] : units) {
    if (unit != name) continue;
    if (number > max / factor) return false;
    out = number * factor;
    return true;
  }
  return false;
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration::zero();
  std::uint64_t value_ms = 0;
  constexpr std::uint64_t year_ms = 366ULL * 24 * 3'600'000;
  if (!scale(text, duration_units_ms, year_ms, value_ms)) {
    return Error{quoted(text) +
                 " is not a duration; write a whole number and ms, s, m or h, as in 250ms or 5s "
                 "(at most 366 days)"};
  }
  return Duration(milliseconds(value_ms));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t bytes = 0;
  constexpr std::uint64_t size_bytes_max = 1ULL << 50U;
  if (!scale(text, size_units, size_bytes_max, bytes)) {
    return Error{quoted(text) +
                 " is not a size; write a whole number of bytes, or one with KiB, MiB or GiB, as "
                 "in 64KiB"};
  }
  return bytes;
}

Result<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t number = 0;
  std::string_view rest;
  if (!split_number(text, number, rest) || !rest.empty()) {
    return Error{quoted(text) + " is not a whole number"};
  }
  return number;
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
