#include "proto/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace outrider::proto {
namespace {

std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof word);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  while (at < text.size() && static_cast<std::uint8_t>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

Utf8Sequence first_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {1, true};
  std::uint8_t low = 0x80;  // the allowed values of the second byte
  std::uint8_t high = 0xbf;
  std::size_t size = 0;
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    size = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xbf;
  }
  return {size, true};
}

bool is_valid_utf8(std::string_view text) {
  for (;;) {
    text.remove_prefix(ascii_prefix(text));
    if (text.empty()) return true;
    const Utf8Sequence sequence = first_sequence(text);
    if (!sequence.is_valid) return false;
    text.remove_prefix(sequence.size);
  }
}

void append_as_valid_utf8(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const std::size_t ascii_size = ascii_prefix(text);
    out.append(text.substr(0, ascii_size));
    text.remove_prefix(ascii_size);
    if (text.empty()) return;
    const Utf8Sequence sequence = first_sequence(text);
    out.append(sequence.is_valid ? text.substr(0, sequence.size) : replacement_character);
    text.remove_prefix(sequence.size);
  }
}

}  // namespace outrider::proto
