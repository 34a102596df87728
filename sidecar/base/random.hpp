// Random: splitmix64, a small fast generator for ids and jitter; not for secrets.
// Thread: one generator, one thread. The seed is injected.
#pragma once

#include <cstdint>

namespace outrider::sidecar {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e37'79b9'7f4a'7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58'476d'1ce4'e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d0'49bb'1331'11ebU;
    return z ^ (z >> 31U);
  }

  /// In [0, bound), as good as uniform for the small bounds used here; 0 for a bound of 0.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }

  /// True with the given probability.
  bool chance(double probability) {
    return static_cast<double>(next() >> 11U) * 0x1.0p-53 < probability;
  }

 private:
  std::uint64_t state_;
};

/// A seed from the operating system.
std::uint64_t system_seed();

}  // namespace outrider::sidecar
