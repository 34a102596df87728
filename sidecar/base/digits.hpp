// Decimal digits, written in pairs, for numbers that are written for each event. Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>

namespace outrider::sidecar {

inline constexpr auto digit_pairs = [] {
  std::array<std::array<char, 2>, 100> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pairs[i] = {static_cast<char>('0' + i / 10), static_cast<char>('0' + i % 10)};
  }
  return pairs;
}();

/// Two digits of a value below 100.
inline char* put_pair(std::size_t value, char* out) {
  std::memcpy(out, digit_pairs[value].data(), 2);
  return out + 2;
}

}  // namespace outrider::sidecar
