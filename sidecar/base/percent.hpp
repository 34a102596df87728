// Percent-encoding (RFC 3986, section 2.1), for urls and headers that carry what events hold.
// Used by EventTemplate and the encoders. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace outrider::sidecar {

/// RFC 3986's unreserved characters, which need no encoding in any part of a url.
constexpr bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

/// Appends `text` to `out`, each byte as %XX unless `stays(byte)`.
template <typename Stays>
void append_percent_encoded(std::string_view text, const Stays& stays, std::string& out) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : text) {
    if (stays(c)) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.append({'%', digits[byte >> 4U], digits[byte & 0x0fU]});
    }
  }
}

}  // namespace outrider::sidecar
