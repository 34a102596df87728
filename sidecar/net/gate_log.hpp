// GateLog: says what the SocketGate has turned away, and what to do: at once when it begins, and
// while it goes on once a minute with the numbers since. A line for each kind.
//
// Used by ZmqListener. Thread: the sidecar's one. Borrows: the log.
#pragma once

#include "sidecar/base/log.hpp"
#include "sidecar/net/socket_gate.hpp"

namespace outrider::sidecar {

class GateLog {
 public:
  explicit GateLog(Log& log) : log_(log) {}

  /// To be called once a second.
  void tick();

 private:
  static constexpr int quiet_ticks = 60;

  void tell_cut_off(const SocketGate::Counts& now);

  Log& log_;
  SocketGate::Counts said_ = SocketGate::counts();
  int refused_quiet_ = 0;
  int cut_off_quiet_ = 0;
};

}  // namespace outrider::sidecar
