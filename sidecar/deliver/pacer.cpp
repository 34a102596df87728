#include "sidecar/deliver/pacer.hpp"

#include <algorithm>

namespace outrider::sidecar {
namespace {

/// While flushing at shutdown, a failed batch is tried again this soon at the latest.
constexpr Duration hurried_backoff_max = std::chrono::seconds(1);

}  // namespace

Duration Pacer::failed(std::uint32_t attempts, std::optional<Duration> retry_after,
                       const Now& now) {
  if (failures_++ == 0) failing_since_ = now.mono;
  const Duration pause = retry_after ? *retry_after : backoff(backoff_, failures_, random_);
  const Duration delay = retry_after ? *retry_after : backoff(backoff_, attempts, random_);
  paused_until_ = std::max(paused_until_, now.mono + pause);
  return delay;
}

std::optional<Duration> Pacer::answered(const Now& now) {
  if (failures_ == 0) return std::nullopt;
  failures_ = 0;
  paused_until_ = {};
  return now.mono - failing_since_;
}

void Pacer::hurry(const Now& now) {
  paused_until_ = std::min(paused_until_, now.mono);
  backoff_.max = std::min(backoff_.max, hurried_backoff_max);
  backoff_.initial = std::min(backoff_.initial, backoff_.max);
}

}  // namespace outrider::sidecar
