// Ticker: calls back once a period, from the reactor.
//
// Used for maintenance work for which nothing else wakes the sidecar. All tickers of one period
// tick at the same moments, so that an idle sidecar wakes once for all of them. Thread: the
// reactor's. Owns: a timer descriptor; without one (none is left) it never ticks. Borrows: the
// reactor.
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

  /// The first moment after `now` at which tickers of this period tick.
  static MonoTime first_tick(MonoTime now, Duration period);

 private:
  Reactor& reactor_;
  int fd_;
};

}  // namespace outrider::sidecar
