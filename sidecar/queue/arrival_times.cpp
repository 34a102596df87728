#include "sidecar/queue/arrival_times.hpp"

namespace outrider::sidecar {
namespace {

/// Fewer used up runs than these are not worth moving the others.
constexpr std::size_t used_kept = 64;

}  // namespace

void ArrivalTimes::forget_first() {
  ++first_;
  if (is_empty()) {
    runs_.clear();
    first_ = 0;
  } else if (first_ >= used_kept && 2 * first_ >= runs_.size()) {
    runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

}  // namespace outrider::sidecar
