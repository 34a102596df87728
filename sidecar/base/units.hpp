// Durations and sizes as people write them: `250ms 5s 10m 24h`, `64KiB 1MiB 1GiB`.
// Used by the configuration, the command line and the reports. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

/// The longest duration that is read: ten years, 87840h.
inline constexpr Duration duration_max = std::chrono::hours(3660 * 24);

/// A whole number and one of ms, s, m, h; `0` alone is allowed.
Result<Duration> parse_duration(std::string_view text);

/// A whole number of bytes, or one with KiB, MiB or GiB.
Result<std::uint64_t> parse_size(std::string_view text);

/// A whole number, nothing around it.
Result<std::uint64_t> parse_count(std::string_view text);

// The same for callers with their own range, who can then name it: a value that is too large to be
// read becomes the largest value there is.
Result<Duration> saturated_duration(std::string_view text);
Result<std::uint64_t> saturated_size(std::string_view text);
Result<std::uint64_t> saturated_count(std::string_view text);

/// The shortest exact form: 90s, 1500ms, 24h; other durations are rounded to whole milliseconds.
std::string format_duration(Duration duration);

/// The largest unit that divides it: 64KiB, 1500 (bytes).
std::string format_size(std::uint64_t bytes);

}  // namespace outrider::sidecar
