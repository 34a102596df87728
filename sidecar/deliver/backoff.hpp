// Backoff: how long to wait before attempt n, exponential with full jitter.
//
// Used by Destination. Uniform in [0, min(max, initial * 2^(n-1))]: clients that failed together do
// not return together. Pure but for the random source passed in.
#pragma once

#include <cstdint>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/random.hpp"

namespace outrider::sidecar {

struct BackoffLimits {
  Duration initial;
  Duration max;
};

/// The wait after `failures` failures in a row, counted from 1.
Duration backoff(const BackoffLimits& limits, std::uint32_t failures, Random& random);

}  // namespace outrider::sidecar
