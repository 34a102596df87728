// Numbers in msgpack's byte order: the most significant byte first. Pure functions.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace outrider::proto {

/// Reads sizeof(Int) bytes.
template <typename Int>
[[nodiscard]] inline Int load_big_endian(const std::uint8_t* at) {
  static_assert(std::endian::native == std::endian::little, "Outrider runs on little endian");
  Int value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (sizeof value == 8) return static_cast<Int>(__builtin_bswap64(value));
  if constexpr (sizeof value == 4) return static_cast<Int>(__builtin_bswap32(value));
  if constexpr (sizeof value == 2) return static_cast<Int>(__builtin_bswap16(value));
  return value;
}

}  // namespace outrider::proto
