// The pieces of JSON text that most events are made of, written to where a pointer points.
//
// Used by JsonWriter and by the transcoder in json_value.cpp, which keeps the pointer in a
// register. Each function says how much room it needs at `out`, and returns the end of what it
// wrote. It may write beyond that end within this room, as it copies and counts in whole blocks.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "sidecar/base/digits.hpp"

namespace outrider::sidecar::json_text {

/// Sixteen bytes that are looked at together; the compiler makes vector instructions of it.
using Block = signed char __attribute__((vector_size(16)));
using Chars = char __attribute__((vector_size(16)));
inline constexpr std::size_t block_bytes = 16;
inline constexpr std::size_t number_bytes_max = 32;

/// A bit for each byte that cannot be in a JSON string unchanged: a control byte, a quote, a
/// backslash, or part of a character beyond ASCII (a negative byte), which has to be checked.
inline std::uint32_t special_bits(Block block) {
  const Block found = (block < 0x20) | (block == '"') | (block == '\\');
#ifdef __SSE2__
  return static_cast<std::uint32_t>(__builtin_ia32_pmovmskb128(std::bit_cast<Chars>(found)));
#else
  const auto words = std::bit_cast<std::array<std::uint64_t, 2> >(found);
  const auto bits = [](std::uint64_t word) {
    return static_cast<std::uint32_t>((word & 0x8080'8080'8080'8080U) * 0x0002'0408'1020'4081U >>
                                      56U);
  };
  return bits(words[0]) | bits(words[1]) << 8U;
#endif
}

inline bool is_special(char c) {
  const auto byte = static_cast<signed char>(c);
  return byte < 0x20 || byte == '"' || byte == '\\';
}

/// Copies a text of at most block_bytes in which no byte is special; false if one is. A whole block
/// can be read. Room: block_bytes.
inline bool copy_short(const char* from, std::size_t size, char* out) {
  Block block;
  std::memcpy(&block, from, block_bytes);
  std::memcpy(out, &block, block_bytes);
  // Bytes beyond the text do not count.
  return (special_bits(block) & ((1U << size) - 1)) == 0;
}

/// Copies a text in which no byte is special; false if one is. Room: the text's.
inline bool copy_plain(std::string_view text, char* out) {
  const char* from = text.data();
  std::size_t size = text.size();
  if (size < block_bytes) {
    for (std::size_t i = 0; i < size; ++i) {
      if (is_special(from[i])) return false;
      out[i] = from[i];
    }
    return true;
  }
  for (; size >= block_bytes; size -= block_bytes, from += block_bytes, out += block_bytes) {
    if (!copy_short(from, block_bytes, out)) return false;
  }
  // The last block overlaps the one before.
  const std::size_t back = block_bytes - size;
  return size == 0 || copy_short(from - back, block_bytes, out - back);
}

/// Room: number_bytes_max.
inline char* put_unsigned(std::uint64_t value, char* out) {
  if (value < 10) {
    *out = static_cast<char>('0' + value);
    return out + 1;
  }
  if (value < 100) return put_pair(value, out);
  std::array<char, number_bytes_max> digits;
  char* begin = digits.data() + digits.size();
  for (; value >= 100; value /= 100) put_pair(value % 100, begin -= 2);
  if (value >= 10) {
    put_pair(value, begin -= 2);
  } else {
    *--begin = static_cast<char>('0' + value);
  }
  const auto size = static_cast<std::size_t>(digits.data() + digits.size() - begin);
  std::memcpy(out, begin, size);
  return out + size;
}

/// Room: number_bytes_max.
inline char* put_signed(std::int64_t value, char* out) {
  if (value >= 0) return put_unsigned(static_cast<std::uint64_t>(value), out);
  *out = '-';
  return put_unsigned(-static_cast<std::uint64_t>(value), out + 1);
}

/// Writes a real of at most six decimal places and fifteen digits, as most of those that people
/// measure and charge are; null for any other, which includes NaN and the infinities. With so few
/// digits there is one shortest text, and dividing tells whether it reads back as the same number.
/// Room: number_bytes_max.
inline char* put_short_decimal(double value, char* out) {
  constexpr std::uint64_t scale = 1'000'000;
  const double magnitude = std::abs(value);
  if (!(magnitude < 1e9)) return nullptr;
  // Two places at first: most are amounts of money, or have none.
  std::uint64_t whole;
  std::uint64_t fraction;  // of scale
  // A wrong last digit is seen by the division. NOLINTNEXTLINE(bugprone-incorrect-roundings)
  const auto hundredths = static_cast<std::uint64_t>(magnitude * 100 + 0.5);
  if (static_cast<double>(hundredths) / 100 == magnitude) {
    whole = hundredths / 100;
    fraction = hundredths % 100 * (scale / 100);
  } else {
    // NOLINTNEXTLINE(bugprone-incorrect-roundings)
    const auto scaled = static_cast<std::uint64_t>(magnitude * scale + 0.5);
    if (static_cast<double>(scaled) / scale != magnitude) return nullptr;
    whole = scaled / scale;
    fraction = scaled % scale;
  }
  if (std::signbit(value)) *out++ = '-';
  out = put_unsigned(whole, out);
  *out++ = '.';
  put_pair(fraction / 10'000, out);
  put_pair(fraction / 100 % 100, out + 2);
  put_pair(fraction % 100, out + 4);
  std::size_t places = 6;
  while (places > 1 && out[places - 1] == '0') --places;
  return out + places;
}

}  // namespace outrider::sidecar::json_text
