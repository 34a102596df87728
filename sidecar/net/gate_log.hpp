// GateLog: says what the SocketGate has turned away, and what to do: at once when it begins, and
// while it goes on once a minute with the numbers since. A line for each kind.
//
// Used by ZmqListener. Thread: the sidecar's one; looks once a second, by its own ticker. Borrows:
// the reactor and the log.
#pragma once

#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/ticker.hpp"
#include "sidecar/net/socket_gate.hpp"

namespace outrider::sidecar {

class GateLog {
 public:
  using Count = SocketGate::Counts (*)();

  /// `count`: what the gate has turned away since the process began.
  GateLog(Reactor& reactor, Log& log, Count count = SocketGate::counts)
      : log_(log), count_(count), ticker_(reactor, std::chrono::seconds(1), [this] { tick(); }) {}

  static constexpr int quiet_ticks = 60;

  /// Looks; a second is over.
  void tick();

 private:
  void tell_cut_off(const SocketGate::Counts& now);

  Log& log_;
  Count count_;
  SocketGate::Counts said_ = count_();
  int refused_quiet_ = 0;
  int cut_off_quiet_ = 0;
  Ticker ticker_;
};

}  // namespace outrider::sidecar
