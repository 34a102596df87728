// UTF-8 as Unicode's table 3-7 defines it: no surrogates, no overlong forms, nothing above
// U+10FFFF. Used where text of unknown origin becomes part of a JSON body. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace outrider::proto {

/// U+FFFD in UTF-8.
inline constexpr std::string_view replacement_character = "\xef\xbf\xbd";

struct Utf8Sequence {
  std::size_t size;  ///< bytes of the first character, or of the ill-formed part in its place
  bool is_valid;
};

/// Looks at the character that begins at `text[0]`; `text` is not empty.
[[nodiscard]] Utf8Sequence first_sequence(std::string_view text);

[[nodiscard]] bool is_valid_utf8(std::string_view text);

/// Appends `text` to `out`, each maximal ill-formed part replaced by one U+FFFD.
void append_as_valid_utf8(std::string_view text, std::string& out);

}  // namespace outrider::proto
