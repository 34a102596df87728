#include "sidecar/deliver/concurrency_limit.hpp"

#include <algorithm>
#include <cmath>

namespace outrider::sidecar {
namespace {

constexpr double initial_limit = 4;
/// Latencies scatter; only more than this factor indicates a queue.
constexpr double tolerance = 1.25;
constexpr double shrink_min = 0.5;
constexpr double failure_factor = 0.7;
/// The shortest time for a measurement, for receivers that answer faster than latencies are even.
constexpr Duration window_min = std::chrono::milliseconds(20);
constexpr Duration measurement_interval = std::chrono::seconds(10);

}  // namespace

ConcurrencyLimit::ConcurrencyLimit(std::uint64_t min, std::uint64_t max)
    : min_(static_cast<double>(min)), max_(static_cast<double>(max)), limit_(0) {
  set(initial_limit);
}

void ConcurrencyLimit::use(std::uint64_t min, std::uint64_t max) {
  min_ = static_cast<double>(min);
  max_ = static_cast<double>(max);
  set(limit_);
  limit_before_ = std::clamp(limit_before_, min_, max_);
}

void ConcurrencyLimit::answered(AttemptId attempt, AttemptId last_attempt, Duration latency,
                                const Now& now) {
  if (attempt <= window_.begins_after) return;
  ++window_.answers;
  window_.latency_sum += latency;
  const bool has_enough = window_.answers >= static_cast<std::uint32_t>(limit_) &&
                          now.mono - window_.began_at >= window_min;
  if (!has_enough) return;
  // Without pressure there is nothing to learn: the batches are as small as they come.
  if (is_held_back_) adapt(window_.latency_sum / window_.answers, now);
  begin_window(last_attempt, now);
}

void ConcurrencyLimit::failed(AttemptId attempt, AttemptId last_attempt, const Now& now) {
  if (attempt <= window_.begins_after) return;
  is_slow_start_ = false;
  is_measuring_ = false;
  set(limit_ * failure_factor);
  begin_window(last_attempt, now);
}

void ConcurrencyLimit::restart(AttemptId last_attempt, const Now& now) {
  is_slow_start_ = true;
  is_measuring_ = false;
  set(1);
  begin_window(last_attempt, now);
}

void ConcurrencyLimit::adapt(Duration latency, const Now& now) {
  if (is_measuring_) {
    is_measuring_ = false;
    unqueued_latency_ = latency;
    set(limit_before_);
    return;
  }
  if (unqueued_latency_ == Duration::zero()) next_measurement_ = now.mono + measurement_interval;
  if (unqueued_latency_ == Duration::zero() || latency < unqueued_latency_) {
    unqueued_latency_ = latency;
  }
  const double ratio = tolerance * static_cast<double>(unqueued_latency_.count()) /
                       static_cast<double>(std::max(latency, Duration(1)).count());
  const double factor = std::clamp(ratio, shrink_min, 1.0);
  if (is_slow_start_ && factor == 1.0) {
    set(limit_ * 2);
  } else {
    is_slow_start_ = false;
    set(limit_ * factor + std::max(1.0, std::sqrt(limit_) / 2));
  }
  if (now.mono < next_measurement_ || limit_ <= min_) return;
  is_measuring_ = true;
  limit_before_ = limit_;
  next_measurement_ = now.mono + measurement_interval;
  set(limit_ / 2);
}

void ConcurrencyLimit::begin_window(AttemptId last_attempt, const Now& now) {
  window_ = {last_attempt, now.mono, 0, {}};
  is_held_back_ = false;
}

void ConcurrencyLimit::set(double limit) {
  limit_ = std::clamp(limit, min_, max_);
}

}  // namespace outrider::sidecar
