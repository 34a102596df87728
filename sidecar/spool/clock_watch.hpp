// ClockWatch: for how long the wall clock has gone without a jump.
//
// Used by StoreKeeper, before it removes anything by its age: a start with a wrong clock must
// remove nothing, nor must a clock that jumps. Thread: its owner's.
#pragma once

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

class ClockWatch {
 public:
  /// More than this between two looks is a jump. Less is how clocks are set right slowly.
  static constexpr Duration jump_min = std::chrono::minutes(1);

  /// Zero at the first look, and at the first one after a jump.
  Duration steady_for(const Now& now) {
    const Duration ahead = now.wall.time_since_epoch() - now.mono.time_since_epoch();
    if (steady_since_ == never || std::chrono::abs(ahead - wall_ahead_) > jump_min) {
      steady_since_ = now.mono;
      wall_ahead_ = ahead;
    }
    return now.mono - steady_since_;
  }

 private:
  MonoTime steady_since_ = never;
  Duration wall_ahead_{};  ///< of the monotonic clock, then
};

}  // namespace outrider::sidecar
