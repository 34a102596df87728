// Pacer: when a destination may send, and how much at a time.
//
// Used by Destination. A healthy destination gets up to concurrency_max requests at a time. A
// failure pauses it whole (exponential, full jitter; at least Retry-After where the answer asks for
// it); after the pause one request alone probes it, and the answer to that opens it. Requests that
// were under way when it failed tell nothing new: neither their failures nor their answers count.
// Thread: one pacer, one thread. Plain state, no I/O.
#pragma once

#include <cstdint>
#include <optional>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/deliver/backoff.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

class Pacer {
 public:
  struct Recovery {
    Duration failed_for;
    std::uint32_t failures;  ///< in a row
  };

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

  /// The number of an attempt that starts now.
  AttemptId begin_attempt() { return ++last_attempt_; }

  /// An attempt failed. Pauses the destination and returns how long the batch, which has been tried
  /// `attempts` times, waits for the next attempt.
  Duration failed(AttemptId attempt, std::uint32_t attempts, std::optional<Duration> retry_after,
                  const Now& now);

  /// An attempt was answered. Tells of the outage if it is over with that.
  std::optional<Recovery> answered(AttemptId attempt, const Now& now);

  /// Shutting down: the pause ends now, and later ones are short, whatever an answer asks for.
  void hurry(const Now& now);

 private:
  BackoffLimits backoff_;
  std::uint64_t concurrency_max_;
  Random random_;
  AttemptId last_attempt_ = 0;
  AttemptId last_attempt_before_failure_ = 0;
  std::uint32_t failures_ = 0;  ///< in a row
  MonoTime failing_since_{};
  MonoTime paused_until_{};
  bool is_hurried_ = false;
};

}  // namespace outrider::sidecar
