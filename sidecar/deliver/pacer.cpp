#include "sidecar/deliver/pacer.hpp"

#include <algorithm>

namespace outrider::sidecar {
namespace {

/// While the sidecar stops, a failed batch is tried again this soon at the latest.
constexpr Duration hurried_wait_max = std::chrono::seconds(1);

}  // namespace

Pacer::Pacer(const DestinationConfig& config, std::uint64_t seed)
    : batch_events_max_(config.batch_events_max),
      backoff_{config.retry_initial, config.retry_max},
      random_(seed),
      breaker_({config.breaker_failures, config.breaker_failure_rate}, backoff_),
      concurrency_(config.concurrency_min, config.concurrency_max),
      rates_(config.rate_max),
      retries_(config.retry_share_max) {}

void Pacer::use(const DestinationConfig& config) {
  batch_events_max_ = config.batch_events_max;
  backoff_ = {config.retry_initial, config.retry_max};
  breaker_.use({config.breaker_failures, config.breaker_failure_rate}, backoff_);
  concurrency_.use(config.concurrency_min, config.concurrency_max);
  rates_.use(config.rate_max);
  retries_.use(config.retry_share_max);
}

void Pacer::begin_anew(const Now& now) {
  paused_until_ = std::min(paused_until_, now.mono);
  breaker_.begin_anew(last_attempt_, now);
}

void Pacer::probe(const Now& now) {
  paused_until_ = std::min(paused_until_, now.mono);
  breaker_.probe(now);
}

std::size_t Pacer::places() const {
  return is_open() ? 1 : concurrency_.limit();
}

MonoTime Pacer::may_start_at(std::size_t in_flight) const {
  if (in_flight >= places()) return never;
  MonoTime at = std::max(paused_until_, rates_.free_at());
  if (is_open()) at = std::max(at, breaker_.opens_until());
  return at;
}

MonoTime Pacer::may_retry_at(std::size_t in_flight) const {
  const MonoTime at = may_start_at(in_flight);
  // A probe is how an outage ends; a stop has no time to lose.
  return is_open() || is_hurried_ ? at : std::max(at, retries_.free_at());
}

std::uint64_t Pacer::batch_events_max() const {
  return rates_.batch_events_max(batch_events_max_);
}

AttemptId Pacer::begin_attempt(bool is_retry, std::uint64_t events, std::uint64_t bytes,
                               const Now& now) {
  if (is_retry) {
    retries_.spend(now);
  } else {
    retries_.earn();
  }
  rates_.spend(events, bytes, now);
  return ++last_attempt_;
}

Duration Pacer::failed(const Failure& failure, const Now& now) {
  if (failure.has_alternative) return Duration::zero();
  const bool was_open = is_open();
  breaker_.failed(failure.attempt, last_attempt_, failure.is_hold, random_, now);
  if (is_open() && !was_open) {
    open_since_ = now.mono;
    ++openings_;
  }
  concurrency_.failed(failure.attempt, last_attempt_, now);

  Duration pause = failure.retry_after.value_or(Duration::zero());
  if (is_hurried_) pause = std::min(pause, hurried_wait_max);
  paused_until_ = std::max(paused_until_, now.mono + pause);
  // Never sooner than by backoff: "Retry-After: 0" must not become a loop.
  return std::max(retry_delay(failure.attempts), pause);
}

Duration Pacer::retry_delay(std::uint32_t attempts) {
  const Duration delay = backoff(backoff_, attempts, random_);
  return is_hurried_ ? std::min(delay, hurried_wait_max) : delay;
}

std::optional<Duration> Pacer::answered(AttemptId attempt, std::optional<Duration> latency,
                                        const Now& now) {
  const bool is_over = breaker_.answered(attempt, now);
  if (is_over) {
    concurrency_.restart(last_attempt_, now);
    return now.mono - open_since_;
  }
  if (latency) concurrency_.answered(attempt, last_attempt_, *latency, now);
  return std::nullopt;
}

void Pacer::hurry(const Now& now) {
  paused_until_ = std::min(paused_until_, now.mono);
  breaker_.hurry(now);
  is_hurried_ = true;
}

}  // namespace outrider::sidecar
