// Breaker: the circuit breaker of one destination.
//
//     closed     requests go out; failures in a row, or a share of failures, open it
//     open       nothing goes out until the backoff is over, which doubles from opening to opening
//     half-open  one request goes out as a probe; its answer closes the breaker or opens it again
//
// Used by Pacer. Requests that were in flight when it opened are no new information: neither their
// failures nor their answers count. All times are monotonic. Thread: one breaker, one thread. Plain
// state. Limits: one count a second, of the last ten.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/deliver/backoff.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

struct BreakerLimits {
  std::uint64_t failures_max;  ///< in a row; 0: no limit
  double failure_rate_max;     ///< of the last 10 s, if there were 20 requests; 0: no limit
};

class Breaker {
 public:
  enum class State : std::uint8_t { closed, open };

  Breaker(BreakerLimits limits, BackoffLimits backoff) : limits_(limits), backoff_(backoff) {}

  /// Open until the probe has been answered, so half-open counts as open.
  State state() const { return state_; }

  /// Open: when the probe may go.
  MonoTime opens_until() const { return open_until_; }
  /// Open: an attempt after this one is a probe.
  AttemptId last_before_opening() const { return last_before_opening_; }

  /// The attempt failed; `last_attempt` is the newest that has begun. `is_hold`: one such failure
  /// is enough.
  void failed(AttemptId attempt, AttemptId last_attempt, bool is_hold, Random& random,
              const Now& now);

  /// The attempt was answered. True if that closes the breaker.
  bool answered(AttemptId attempt, const Now& now);

  void use(BreakerLimits limits, BackoffLimits backoff) {
    limits_ = limits;
    backoff_ = backoff;
  }
  /// From here on everything goes another way: earlier attempts tell nothing of it. Open: the probe
  /// may go now.
  void begin_anew(AttemptId last_attempt, const Now& now);

  /// Open: the probe may go now.
  void probe(const Now& now) { open_until_ = std::min(open_until_, now.mono); }

  /// Open: the probe may go now, and later pauses are short.
  void hurry(const Now& now);

  std::uint32_t failures_in_a_row() const { return failures_in_a_row_; }

 private:
  struct Second {
    std::int64_t number = -1;
    std::uint32_t requests = 0;
    std::uint32_t failures = 0;
  };
  static constexpr std::size_t window_s = 10;

  void count(bool is_failure, const Now& now);
  bool is_rate_exceeded(const Now& now) const;
  void open(AttemptId last_attempt, Random& random, const Now& now);

  BreakerLimits limits_;
  BackoffLimits backoff_;
  State state_ = State::closed;
  std::uint32_t openings_in_a_row_ = 0;
  std::uint32_t failures_in_a_row_ = 0;
  AttemptId last_before_opening_ = 0;
  MonoTime open_until_{};
  bool is_hurried_ = false;
  std::array<Second, window_s> seconds_{};
};

}  // namespace outrider::sidecar
