// ConcurrencyLimit: how many requests one destination gets at a time, derived from its response
// times.
//
// Used by Pacer. The limit grows as long as more requests at a time do not make each take longer.
// Once they do, they only wait in the receiver's queue instead of ours, and the limit shrinks:
//
//     limit = limit * tolerance * (latency without a queue) / latency + room to grow
//
// The latency without a queue is measured now and then by halving the limit for a moment. Only
// times at which the limit held requests back count, and only answers that accepted events: a
// refusal is quick however busy the receiver is. A failure reduces the limit, once in each window.
// After an outage it begins at 1 and doubles (slow start).
//
// Thread: one limit, one thread. Plain state. Limits: between min and max.
#pragma once

#include <cstdint>

#include "sidecar/base/clock.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

class ConcurrencyLimit {
 public:
  ConcurrencyLimit(std::uint64_t min, std::uint64_t max);

  std::size_t limit() const { return static_cast<std::size_t>(limit_); }

  /// Other bounds, from here on.
  void use(std::uint64_t min, std::uint64_t max);

  /// More would have been sent if the limit had allowed it.
  void note_held_back() { is_held_back_ = true; }

  /// `last_attempt` is the newest that has begun.
  void answered(AttemptId attempt, AttemptId last_attempt, Duration latency, const Now& now);
  void failed(AttemptId attempt, AttemptId last_attempt, const Now& now);

  /// After an outage: from the beginning.
  void restart(AttemptId last_attempt, const Now& now);

 private:
  /// The answers to requests that began under the same limit.
  struct Window {
    AttemptId begins_after = 0;
    MonoTime began_at{};
    std::uint32_t answers = 0;
    Duration latency_sum{};
  };

  void begin_window(AttemptId last_attempt, const Now& now);
  void adapt(Duration latency, const Now& now);
  void set(double limit);

  double min_;
  double max_;
  double limit_;
  bool is_held_back_ = false;
  bool is_slow_start_ = true;
  Duration unqueued_latency_{};  ///< zero: not known
  Window window_;
  /// Measuring the latency without a queue; then the limit goes back to this one.
  bool is_measuring_ = false;
  double limit_before_ = 0;
  MonoTime next_measurement_{};
};

}  // namespace outrider::sidecar
