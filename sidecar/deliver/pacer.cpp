#include "sidecar/deliver/pacer.hpp"

#include <algorithm>

namespace outrider::sidecar {
namespace {

/// While flushing at shutdown, a failed batch is tried again this soon at the latest.
constexpr Duration hurried_wait_max = std::chrono::seconds(1);

}  // namespace

Duration Pacer::failed(AttemptId attempt, std::uint32_t attempts,
                       std::optional<Duration> retry_after, const Now& now) {
  Duration pause = retry_after.value_or(Duration::zero());
  if (attempt > last_attempt_before_failure_) {
    if (failures_++ == 0) failing_since_ = now.mono;
    last_attempt_before_failure_ = last_attempt_;
    pause = std::max(pause, backoff(backoff_, failures_, random_));
  }
  // Never sooner than by backoff: "Retry-After: 0" must not become a loop.
  Duration delay =
      std::max(backoff(backoff_, attempts, random_), retry_after.value_or(Duration::zero()));
  if (is_hurried_) {
    pause = std::min(pause, hurried_wait_max);
    delay = std::min(delay, hurried_wait_max);
  }
  paused_until_ = std::max(paused_until_, now.mono + pause);
  return delay;
}

std::optional<Pacer::Recovery> Pacer::answered(AttemptId attempt, const Now& now) {
  if (failures_ == 0 || attempt <= last_attempt_before_failure_) return std::nullopt;
  const Recovery recovery = {now.mono - failing_since_, failures_};
  failures_ = 0;
  return recovery;
}

void Pacer::hurry(const Now& now) {
  paused_until_ = std::min(paused_until_, now.mono);
  is_hurried_ = true;
}

}  // namespace outrider::sidecar
