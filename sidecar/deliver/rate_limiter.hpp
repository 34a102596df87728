// RateLimiter: when the next batch may leave so that events, requests and bytes stay within their
// limits, on average over a second or more.
//
// Used by Pacer. A batch may leave when none of the limits is in debt, and is paid for afterwards.
// So a batch that exceeds the limit of a second can leave too, and the next one waits for it.
// Unused allowance is kept for one second. Thread: one limiter, one thread. Plain state.
#pragma once

#include <array>
#include <cstdint>

#include "sidecar/base/clock.hpp"
#include "sidecar/config/destination_config.hpp"

namespace outrider::sidecar {

class RateLimiter {
 public:
  explicit RateLimiter(const RateLimits& limits) { use(limits); }

  /// Other limits, from here on. A debt of the old ones is forgotten.
  void use(const RateLimits& limits);

  /// When the next batch may leave.
  MonoTime free_at() const;

  /// A batch leaves.
  void spend(std::uint64_t events, std::uint64_t bytes, const Now& now);

  /// A batch need not be larger than the limit of one second.
  std::uint64_t batch_events_max(std::uint64_t otherwise) const;

 private:
  static constexpr std::size_t kinds = 3;

  std::array<double, kinds> per_s_{};
  std::array<MonoTime, kinds> free_at_{};
};

}  // namespace outrider::sidecar
