// Pacer: when a destination may send, and how much at a time.
//
// Used by Destination. It combines the circuit breaker, the pause that an answer's Retry-After asks
// for, the adaptive concurrency limit, the rate limits and the retry budget. A batch that failed
// also waits for its own backoff. Thread: one pacer, one thread. Plain state, no I/O.
#pragma once

#include <cstdint>
#include <optional>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/config/destination_config.hpp"
#include "sidecar/deliver/breaker.hpp"
#include "sidecar/deliver/concurrency_limit.hpp"
#include "sidecar/deliver/rate_limiter.hpp"
#include "sidecar/deliver/retry_budget.hpp"

namespace outrider::sidecar {

class Pacer {
 public:
  /// A failed attempt.
  struct Failure {
    AttemptId attempt = 0;
    std::uint32_t attempts = 1;  ///< of its batch, so far
    std::optional<Duration> retry_after = std::nullopt;
    bool is_hold = false;          ///< refused credentials: the destination is probed
    bool has_alternative = false;  ///< another url is up: the destination itself has not failed
  };

  Pacer(const DestinationConfig& config, std::uint64_t seed);

  /// Other settings, from here on. The state stays as it is.
  void use(const DestinationConfig& config);
  /// From here on everything goes another way: earlier attempts tell nothing of it, and a broken
  /// destination is probed now.
  void begin_anew(const Now& now);
  /// Open: the probe may go now.
  void probe(const Now& now);

  /// When a request may go, as far as time decides; `never` when it takes an answer.
  MonoTime may_start_at(std::size_t in_flight) const;
  /// The same for a retry.
  MonoTime may_retry_at(std::size_t in_flight) const;

  /// There were events to send, and only the concurrency limit prevented it.
  void note_held_back() { concurrency_.note_held_back(); }

  /// Events that a batch may have now.
  std::uint64_t batch_events_max() const;

  /// The number of an attempt that starts now.
  AttemptId begin_attempt(bool is_retry, std::uint64_t events, std::uint64_t bytes, const Now& now);

  /// Returns how long the batch waits for its next attempt.
  Duration failed(const Failure& failure, const Now& now);

  /// How long a batch waits that was tried so often.
  Duration retry_delay(std::uint32_t attempts);

  /// An attempt was answered. Returns how long the outage was that is over with that, if there was
  /// one. `latency`: how long it took, if events were taken; a refusal is no measure of that.
  std::optional<Duration> answered(AttemptId attempt, std::optional<Duration> latency,
                                   const Now& now);

  /// The newest attempt that has begun.
  AttemptId last_attempt() const { return last_attempt_; }

  /// Shutting down: pauses end now, and later ones are short, whatever an answer asks for.
  void hurry(const Now& now);

  bool is_open() const { return breaker_.state() == Breaker::State::open; }
  std::size_t concurrency_limit() const { return concurrency_.limit(); }
  /// The attempt, which has no answer, may close the breaker.
  bool is_probe(AttemptId attempt) const {
    return is_open() && attempt > breaker_.last_before_opening();
  }
  /// How often the breaker has opened after it was closed.
  std::uint64_t openings() const { return openings_; }
  /// Of an earlier destination with this name.
  void add_openings(std::uint64_t openings) { openings_ += openings; }
  /// Open: since when.
  MonoTime open_since() const { return open_since_; }
  /// Retry-After: until when.
  MonoTime paused_until() const { return paused_until_; }

 private:
  std::size_t places() const;

  std::uint64_t batch_events_max_;
  BackoffLimits backoff_;
  Random random_;
  Breaker breaker_;
  ConcurrencyLimit concurrency_;
  RateLimiter rates_;
  RetryBudget retries_;
  AttemptId last_attempt_ = 0;
  std::uint64_t openings_ = 0;
  MonoTime open_since_{};
  MonoTime paused_until_{};  ///< by Retry-After
  bool is_hurried_ = false;
};

}  // namespace outrider::sidecar
