// Percent-encoding (RFC 3986, section 2.1), for urls and headers that carry text from events. Used
// by EventTemplate, HttpUrl, Database and the encoders. Pure functions.
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

constexpr bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/// A path and query as RFC 3986 allows them: encoded characters stay so, and those that must be
/// encoded are.
inline std::string as_url_text(std::string_view text) {
  constexpr std::string_view reserved = "/?:@!$&'()*+,;=#";
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool is_code = text[at] == '%' && at + 2 < text.size() && is_hex_digit(text[at + 1]) &&
                         is_hex_digit(text[at + 2]);
    append_percent_encoded(
        text.substr(at, 1),
        [&](char c) { return is_code || is_unreserved(c) || reserved.find(c) != reserved.npos; },
        out);
  }
  return out;
}

}  // namespace outrider::sidecar
