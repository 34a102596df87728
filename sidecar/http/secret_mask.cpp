#include "sidecar/http/secret_mask.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace outrider::sidecar {
namespace {

constexpr std::string_view hidden = "***";
constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The longest way to write one byte: &quot; and \u0022.
constexpr std::size_t bytes_per_byte_max = 6;

/// The bytes that a piece of text decodes to.
struct Unit {
  std::array<char, 4> bytes{};
  std::size_t size = 0;
  std::size_t text_bytes = 0;  ///< how long the piece is

  std::string_view view() const { return {bytes.data(), size}; }
};

Unit unit_of(char byte, std::size_t text_bytes) {
  return {{byte}, 1, text_bytes};
}

Unit unit_of_code_point(std::uint32_t code, std::size_t text_bytes) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  if (code < 0x80) return unit_of(byte(code), text_bytes);
  const char last = byte(0x80U | (code & 0x3fU));
  if (code < 0x800) return {{byte(0xc0U | (code >> 6U)), last}, 2, text_bytes};
  const char middle = byte(0x80U | ((code >> 6U) & 0x3fU));
  return {{byte(0xe0U | ((code >> 12U) & 0xfU)), middle, last}, 3, text_bytes};
}

/// All of the text as a number of at most 16 bits.
bool read_number(std::string_view text, int base, std::uint32_t& number) {
  std::uint16_t small = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, small, base);
  number = small;
  return !text.empty() && error == std::errc{} && stop == end;
}

Unit json_unit(std::string_view text) {
  constexpr std::string_view escapes = "\"\\/bfnrt";
  constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
  std::uint32_t code = 0;
  if (text.size() < 2) return {};
  if (text[1] == 'u' && text.size() >= 6 && read_number(text.substr(2, 4), 16, code)) {
    return unit_of_code_point(code, 6);
  }
  const std::size_t at = escapes.find(text[1]);
  return at == std::string_view::npos ? Unit{} : unit_of(meanings[at], 2);
}

Unit html_unit(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, char>, 5> names = {
      {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};
  for (const auto& [name, meaning] : names) {
    if (text.starts_with(name)) return unit_of(meaning, name.size());
  }
  const std::size_t end = text.substr(0, 8).find(';');
  if (!text.starts_with("&#") || end == std::string_view::npos) return {};
  const bool is_hex = text.size() > 2 && (text[2] == 'x' || text[2] == 'X');
  const std::size_t begin = is_hex ? 3 : 2;
  std::uint32_t code = 0;
  if (!read_number(text.substr(begin, end - begin), is_hex ? 16 : 10, code)) return {};
  return unit_of_code_point(code, end + 1);
}

/// The beginning of the text, if it is written in some escaped form.
Unit escaped_unit(std::string_view text) {
  std::uint32_t code = 0;
  switch (text[0]) {
    case '%':
      if (text.size() < 3 || !read_number(text.substr(1, 2), 16, code)) return {};
      return unit_of(static_cast<char>(code), 3);
    case '+':
      return unit_of(' ', 1);
    case '\\':
      return json_unit(text);
    case '&':
      return html_unit(text);
    default:
      return {};
  }
}

/// The text ends before it is clear whether it begins with an escaped form.
bool begins_cut_form(std::string_view text) {
  return text.size() < bytes_per_byte_max &&
         std::string_view("%\\&").find(text[0]) != std::string_view::npos;
}

/// How many bytes at the text's begin are the secret, or a part of it with which the text ends.
std::size_t match(std::string_view text, std::string_view secret) {
  std::size_t at = 0;
  std::size_t matched = 0;
  bool is_cut = false;
  while (matched < secret.size()) {
    if (at == text.size()) return matched >= SecretMask::secret_bytes_min ? at : 0;
    const std::string_view rest = secret.substr(matched);
    is_cut |= matched >= SecretMask::secret_bytes_min && begins_cut_form(text.substr(at));
    Unit unit = escaped_unit(text.substr(at));
    if (unit.size == 0 || !rest.starts_with(unit.view())) unit = unit_of(text[at], 1);
    if (!rest.starts_with(unit.view())) {
      return is_cut ? text.size() : 0;
    }
    matched += unit.size;
    at += unit.text_bytes;
  }
  return at;
}

std::string base64_of(std::string_view bytes) {
  std::string text;
  for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(3, bytes.size()))) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8U | (i < bytes.size() ? static_cast<std::uint8_t>(bytes[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t digit = group >> (18 - 6 * i) & 0x3fU;
      text += i <= bytes.size() ? base64_digits[digit] : '=';
    }
  }
  return text;
}

/// The decoded form of a percent-encoded text. Anything that is not a code stays.
std::string percent_decoded(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  while (!text.empty()) {
    const bool may_decode = text[0] == '%' || (text[0] == '+' && plus_is_blank);
    Unit unit = may_decode ? escaped_unit(text) : Unit{};
    if (unit.size == 0) unit = unit_of(text[0], 1);
    decoded += unit.view();
    text.remove_prefix(unit.text_bytes);
  }
  return decoded;
}

}  // namespace

std::string base64_decoded(std::string_view text) {
  std::string bytes;
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : text.substr(0, text.find('='))) {
    const std::size_t digit = base64_digits.find(c);
    if (digit == std::string_view::npos) return {};
    group = group << 6U | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xffU);
  }
  return bytes;
}

SecretMask::SecretMask(const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    add(secret);
    add(percent_decoded(secret, false));
    add(percent_decoded(secret, true));
  }
  std::sort(secrets_.begin(), secrets_.end(), [](const auto& one, const auto& other) {
    return one.size() != other.size() ? one.size() > other.size() : one < other;
  });
  secrets_.erase(std::unique(secrets_.begin(), secrets_.end()), secrets_.end());
  if (!secrets_.empty()) context_bytes_ = secrets_.front().size() * bytes_per_byte_max;
}

void SecretMask::add(const std::string& secret) {
  if (secret.size() < secret_bytes_min) return;
  secrets_.push_back(secret);
  secrets_.push_back(base64_of(secret));
  // Some leave the padding out.
  secrets_.push_back(secrets_.back().substr(0, secrets_.back().find('=')));
}

std::size_t SecretMask::secret_at(std::string_view text) const {
  std::size_t bytes = 0;
  for (const std::string& secret : secrets_) bytes = std::max(bytes, match(text, secret));
  return bytes;
}

std::string SecretMask::hide(std::string_view text, std::size_t bytes_max) const {
  std::string shown;
  for (std::size_t at = 0; at < text.size() && shown.size() < bytes_max;) {
    if (const std::size_t bytes = secret_at(text.substr(at)); bytes != 0) {
      shown += hidden;
      at += bytes;
    } else {
      shown += text[at++];
    }
  }
  if (shown.size() > bytes_max) shown.resize(bytes_max);
  return shown;
}

}  // namespace outrider::sidecar
