// Pacer: when a destination may send, and how much at a time.
//
// Used by Destination. A healthy destination gets up to concurrency_max requests at a time. The
// first failure pauses it whole (exponential, full jitter, or Retry-After where the answer asks for
// it); after the pause one request alone probes it; the first answer that is no failure opens it.
// Thread: one pacer, one thread. Plain state, no I/O.
#pragma once

#include <cstdint>
#include <optional>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/deliver/backoff.hpp"

namespace outrider::sidecar {

class Pacer {
 public:
  Pacer(BackoffLimits backoff, std::uint64_t concurrency_max, std::uint64_t seed)
      : backoff_(backoff), concurrency_max_(concurrency_max), random_(seed) {}

  bool may_start(std::size_t in_flight, const Now& now) const {
    return has_place(in_flight) && now.mono >= paused_until_;
  }
  bool has_place(std::size_t in_flight) const {
    return in_flight < (is_failing() ? 1 : concurrency_max_);
  }
  MonoTime paused_until() const { return paused_until_; }
  bool is_failing() const { return failures_ > 0; }

  /// A request failed. Pauses the destination and returns how long the batch, which has been tried
  /// `attempts` times, waits for the next attempt.
  Duration failed(std::uint32_t attempts, std::optional<Duration> retry_after, const Now& now);

  /// A request was answered. Returns how long the destination had been failing, if it had.
  std::optional<Duration> answered(const Now& now);

  /// Shutting down: the pause ends now, and later ones are short.
  void hurry(const Now& now);

 private:
  BackoffLimits backoff_;
  std::uint64_t concurrency_max_;
  Random random_;
  std::uint32_t failures_ = 0;  ///< in a row
  MonoTime failing_since_{};
  MonoTime paused_until_{};
};

}  // namespace outrider::sidecar
