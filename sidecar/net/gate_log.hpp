// GateLog: says what the SocketGate has turned away, and what to do: at once when it begins, and
// while it goes on once a minute with the numbers since. A line for each kind.
//
// Used by Host, for a process that listens to others. Thread: the sidecar's one. Borrows: the log.
// Limits: it reads the gate's counts once a second.
#pragma once

#include "sidecar/base/clock.hpp"
#include "sidecar/base/line_limit.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/net/socket_gate.hpp"

namespace outrider::sidecar {

class GateLog {
 public:
  using Count = SocketGate::Counts (*)();

  /// `count`: everything that the gate has turned away since the process began.
  explicit GateLog(Log& log, Count count = SocketGate::counts) : log_(log), count_(count) {}

  static constexpr Duration look_interval = std::chrono::seconds(1);
  static constexpr Duration line_interval = std::chrono::minutes(1);

  /// Writes what is due.
  void look(const Now& now);
  MonoTime next_deadline() const { return next_look_; }

 private:
  void tell_refused(const SocketGate::Counts& counts);
  bool tell_cut_off(const SocketGate::Counts& counts);

  Log& log_;
  Count count_;
  SocketGate::Counts said_ = count_();
  LineLimit refused_limit_{line_interval};
  LineLimit cut_off_limit_{line_interval};
  MonoTime next_look_{};
};

}  // namespace outrider::sidecar
