// Topics and topic patterns.
//
// A topic is 1 to 255 bytes: tokens of [A-Za-z0-9_-] joined by single dots. A pattern is a NATS
// subject pattern: `*` stands for exactly one token, `>` for one or more tokens at the end.
// Used by the SDK (check before emit), the frame check and the router. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace outrider::proto {

inline constexpr std::size_t topic_bytes_max = 255;

[[nodiscard]] bool is_valid_topic(std::string_view topic);
[[nodiscard]] bool is_valid_pattern(std::string_view pattern);

/// Cuts the first token of a topic or pattern off `rest`; after the last one `rest` is empty.
[[nodiscard]] std::string_view take_token(std::string_view& rest);

/// Both must be valid; anything else does not match.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view topic);

}  // namespace outrider::proto
