#include "sidecar/admin/url_escapes.hpp"

#include <charconv>

namespace outrider::sidecar {

std::optional<std::string> decode_escapes(std::string_view text, bool keeps_slashes) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded += text[at];
      continue;
    }
    const std::string_view digits = text.substr(at + 1, 2);
    unsigned char byte = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    const bool is_whole = digits.size() == 2 && end == digits.data() + 2;
    if (error != std::errc{} || !is_whole || byte == 0) return std::nullopt;
    at += 2;
    if (keeps_slashes && byte == '/') {
      decoded += "%2F";
    } else {
      decoded += static_cast<char>(byte);
    }
  }
  return decoded;
}

}  // namespace outrider::sidecar
