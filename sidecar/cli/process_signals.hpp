// ProcessSignals: the effect of signals on `outrider run`, from start to end.
//
// Used by run_command(). block_signals() comes before any thread is made: from then on no signal
// ends the process by itself. ProcessSignals takes them in a thread of its own, from before there
// is a host: SIGTERM, SIGINT and SIGQUIT stop the host, in order; a second one ends the process at
// once with status 3; SIGHUP reloads the configuration; all others are logged and ignored. If one
// of the three arrives during the start, the start completes and the shutdown follows; if the start
// hangs, the process ends with status 1. It also ends the process if stopping or closing hangs.
// Thread: its own; the functions are the main thread's. Borrows: the host until ended(), and the
// log as long as it lives. Fails with: nothing once its thread exists.
#pragma once

#include <memory>

#include "sidecar/app/host.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

/// Closing may hang in a library; the process ends this long after its time to stop at the latest.
inline constexpr std::chrono::seconds close_time_max{1};

/// A start may take this long after the signal that asks to stop.
inline constexpr std::chrono::seconds start_time_max{5};

/// In this thread, and in those that it will make.
void block_signals();

class ProcessSignals {
 public:
  /// Fails if there can be no thread.
  static Result<std::unique_ptr<ProcessSignals>> start();
  ~ProcessSignals();

  /// From now on there is a log for ignored signals.
  void say_to(Log& log);
  /// The start is done; the host is stopped at once if that was asked for already.
  void serve(Host& host, Duration stop_time_max);
  /// A reload has changed how long a stop may take.
  void use(Duration stop_time_max);
  /// The host has stopped: from now on it is not touched, and the process has until `deadline` to
  /// end; then it is ended with `status`.
  void ended(int status, MonoTime deadline);

 private:
  struct State;
  explicit ProcessSignals(std::shared_ptr<State> state);

  const std::shared_ptr<State> state_;
};

}  // namespace outrider::sidecar
