// Agent: an active part of the sidecar, as state and a bounded step.
//
// Used by App, which gives its agents their turns in a loop on one thread; tests and the simulation
// do so by hand under their own clock. An agent never blocks and never reads a clock.
#pragma once

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

class Agent {
 public:
  virtual ~Agent() = default;

  /// Does a bounded amount of work and returns how much; 0 when there was nothing to do.
  virtual int do_work(const Now& now) = 0;

  /// When to be called again though nothing happened in between.
  virtual MonoTime next_deadline() const { return never; }
};

}  // namespace outrider::sidecar
