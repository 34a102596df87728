#include "sidecar/deliver/retry_budget.hpp"

#include <algorithm>

namespace outrider::sidecar {
namespace {

constexpr double earned_max = 500;
constexpr Duration floor_interval = std::chrono::milliseconds(100);
/// So many of the always allowed may go at once.
constexpr int floor_burst = 10;

}  // namespace

void RetryBudget::use(double share_max) {
  is_unlimited_ = share_max >= 1;
  // Of n requests, n * share are retries and n * (1 - share) are not.
  earned_by_first_ = is_unlimited_ ? 0 : share_max / (1 - share_max);
}

MonoTime RetryBudget::free_at() const {
  return is_unlimited_ || earned_ >= 1 ? MonoTime::min() : floor_at_;
}

void RetryBudget::earn() {
  earned_ = std::min(earned_ + earned_by_first_, earned_max);
}

void RetryBudget::spend(const Now& now) {
  if (is_unlimited_) return;
  if (earned_ >= 1) {
    earned_ -= 1;
  } else {
    floor_at_ = std::max(floor_at_, now.mono - floor_burst * floor_interval) + floor_interval;
  }
}

}  // namespace outrider::sidecar
