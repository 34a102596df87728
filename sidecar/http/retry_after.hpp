// The Retry-After header of RFC 9110: seconds, or a date in one of the three forms of HTTP.
// Used by CurlTransport. Pure function.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

/// A longer time in an answer counts as this: it must not stop a destination permanently.
inline constexpr Duration retry_after_max = std::chrono::hours(1);

/// How long to wait, from 0 to retry_after_max; nothing if `text` is neither form. A date counts
/// from the answer's `date_header`, because the receiver's clock may be off; if that is not a date,
/// from `now`.
std::optional<Duration> parse_retry_after(std::string_view text, std::string_view date_header,
                                          WallTime now);

}  // namespace outrider::sidecar
