// The escapes of a path or a query: %41 is A.
//
// Used by HttpServer. Pure functions. Fails with: nothing for an escape that is none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outrider::sidecar {

/// Nothing if a % has no two hexadecimal digits, or means a zero byte. `keeps_slashes`: %2F stays
/// as it is, for in a path an escaped slash separates nothing.
std::optional<std::string> decode_escapes(std::string_view text, bool keeps_slashes);

}  // namespace outrider::sidecar
