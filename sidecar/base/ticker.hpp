// Ticker: calls back once a period, from the reactor.
//
// Used for maintenance work for which nothing else wakes the sidecar. Thread: the reactor's. Owns:
// a timer descriptor; without one (none is left) it never ticks. Borrows: the reactor.
#pragma once

#include <functional>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/reactor.hpp"

namespace outrider::sidecar {

class Ticker {
 public:
  Ticker(Reactor& reactor, Duration period, std::function<void()> on_tick);
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  Reactor& reactor_;
  int fd_;
};

}  // namespace outrider::sidecar
