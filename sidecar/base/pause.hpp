// lost_time(): how long the process was paused (SIGSTOP, a paused container, a frozen machine), as
// one of its threads measures it: the time that passed, less the time that it intended to wait.
//
// Used by Host and ProcessSignals during a shutdown, so that a pause does not use up its time. A
// thread that starves on a busy machine looks the same and is treated the same. Plain function, any
// thread.
#pragma once

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

/// `accounted`: the time that the thread has slept on purpose, or worked. Less than `pause_min` is
/// not a pause.
constexpr Duration lost_time(Duration elapsed, Duration accounted, Duration pause_min) {
  const Duration lost = elapsed - accounted;
  return lost < pause_min ? Duration::zero() : lost;
}

}  // namespace outrider::sidecar
