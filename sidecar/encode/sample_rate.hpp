// How a sample rate is written; receivers multiply their counts by it. Used by the encoders. Pure
// functions.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>

namespace outrider::sidecar {

inline bool is_sampled(double rate) {
  return rate < 1;
}

/// The shortest text that reads back as the same number: 0.1.
inline std::string sample_rate_text(double rate) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), rate).ptr};
}

/// The rate in CloudEvents: one event in this many, rounded to one of its integers.
inline std::uint64_t one_of(double rate) {
  return static_cast<std::uint64_t>(std::round(std::min(1 / rate, 2'147'483'647.0)));
}

}  // namespace outrider::sidecar
