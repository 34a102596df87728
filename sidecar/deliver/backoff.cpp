#include "sidecar/deliver/backoff.hpp"

#include <algorithm>

namespace outrider::sidecar {

Duration backoff(const BackoffLimits& limits, std::uint32_t failures, Random& random) {
  Duration ceiling = limits.initial;
  for (std::uint32_t i = 1; i < failures && ceiling < limits.max; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, limits.max);
  return Duration(
      static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(ceiling.count()) + 1)));
}

}  // namespace outrider::sidecar
