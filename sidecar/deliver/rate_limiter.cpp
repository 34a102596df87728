#include "sidecar/deliver/rate_limiter.hpp"

#include <algorithm>
#include <cmath>

namespace outrider::sidecar {
namespace {

constexpr Duration unused_max = std::chrono::seconds(1);
/// A debt is never longer than this, whatever the limit and the batch.
constexpr double debt_max_s = 24.0 * 3600;

}  // namespace

void RateLimiter::use(const RateLimits& limits) {
  const std::array<double, kinds> per_s = {limits.events_per_s, limits.requests_per_s,
                                           limits.bytes_per_s};
  if (per_s == per_s_) return;
  per_s_ = per_s;
  free_at_ = {};
}

MonoTime RateLimiter::free_at() const {
  return *std::max_element(free_at_.begin(), free_at_.end());
}

void RateLimiter::spend(std::uint64_t events, std::uint64_t bytes, const Now& now) {
  const std::array<std::uint64_t, kinds> costs = {events, 1, bytes};
  for (std::size_t i = 0; i < kinds; ++i) {
    if (per_s_[i] == 0) continue;
    const double cost_s = std::min(static_cast<double>(costs[i]) / per_s_[i], debt_max_s);
    const auto cost = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(cost_s));
    free_at_[i] = std::max(free_at_[i], now.mono - unused_max) + cost;
  }
}

std::uint64_t RateLimiter::batch_events_max(std::uint64_t otherwise) const {
  if (per_s_[0] == 0) return otherwise;
  const double second = std::ceil(per_s_[0]);
  return second >= static_cast<double>(otherwise) ? otherwise : static_cast<std::uint64_t>(second);
}

}  // namespace outrider::sidecar
