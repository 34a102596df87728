// UTF-8 as Unicode's table 3-7 defines it: no surrogates, no overlong forms, nothing above
// U+10FFFF. Used wherever text of unknown origin goes into a JSON body. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace outrider::proto {

[[nodiscard]] bool is_valid_utf8(std::string_view text);

/// Appends `text` to `out`, each maximal ill-formed part replaced by one U+FFFD.
void append_as_valid_utf8(std::string_view text, std::string& out);

}  // namespace outrider::proto
