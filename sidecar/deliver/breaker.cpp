#include "sidecar/deliver/breaker.hpp"

#include <algorithm>

namespace outrider::sidecar {
namespace {

constexpr std::uint32_t rate_requests_min = 20;
/// While the sidecar stops, the next probe goes this soon at the latest.
constexpr Duration hurried_pause_max = std::chrono::seconds(1);

std::int64_t second_of(const Now& now) {
  return std::chrono::floor<std::chrono::seconds>(now.mono.time_since_epoch()).count();
}

}  // namespace

void Breaker::failed(AttemptId attempt, AttemptId last_attempt, bool is_hold, Random& random,
                     const Now& now) {
  if (attempt <= last_before_opening_) return;
  ++failures_in_a_row_;
  count(true, now);
  const bool is_probe = state_ == State::open;
  const bool are_too_many = limits_.failures_max != 0 && failures_in_a_row_ >= limits_.failures_max;
  if (is_probe || is_hold || are_too_many || is_rate_exceeded(now)) {
    open(last_attempt, random, now);
  }
}

bool Breaker::answered(AttemptId attempt, const Now& now) {
  if (attempt <= last_before_opening_) return false;
  count(false, now);
  failures_in_a_row_ = 0;
  if (state_ == State::closed) return false;
  state_ = State::closed;
  openings_in_a_row_ = 0;
  seconds_.fill({});
  return true;
}

void Breaker::begin_anew(AttemptId last_attempt, const Now& now) {
  last_before_opening_ = last_attempt;
  failures_in_a_row_ = 0;
  openings_in_a_row_ = 0;
  seconds_.fill({});
  open_until_ = std::min(open_until_, now.mono);
}

void Breaker::hurry(const Now& now) {
  is_hurried_ = true;
  open_until_ = std::min(open_until_, now.mono);
}

void Breaker::open(AttemptId last_attempt, Random& random, const Now& now) {
  state_ = State::open;
  last_before_opening_ = last_attempt;
  Duration pause = backoff(backoff_, ++openings_in_a_row_, random);
  if (is_hurried_) pause = std::min(pause, hurried_pause_max);
  open_until_ = now.mono + pause;
}

void Breaker::count(bool is_failure, const Now& now) {
  const std::int64_t number = second_of(now);
  Second& second = seconds_[static_cast<std::size_t>(number) % window_s];
  if (second.number != number) second = {number, 0, 0};
  ++second.requests;
  second.failures += is_failure ? 1 : 0;
}

bool Breaker::is_rate_exceeded(const Now& now) const {
  if (limits_.failure_rate_max == 0) return false;
  const std::int64_t oldest = second_of(now) - static_cast<std::int64_t>(window_s) + 1;
  std::uint32_t requests = 0;
  std::uint32_t failures = 0;
  for (const Second& second : seconds_) {
    if (second.number < oldest) continue;
    requests += second.requests;
    failures += second.failures;
  }
  return requests >= rate_requests_min && failures >= limits_.failure_rate_max * requests;
}

}  // namespace outrider::sidecar
