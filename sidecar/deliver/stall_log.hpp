// StallLog: tells the log that a receiver takes nothing and refuses nothing, and when it goes on.
//
// A pipe whose reader does not read, or a file server that does not answer, holds a write for ever:
// that is no failure, and no attempt ends. Http requests have a timeout, and are not looked at.
//
// Used by Destination. Thread: the sidecar's one thread. Borrows: the log. Limits: one line when it
// has lasted for stalled_after, one every reminder_interval, one when it is over.
#pragma once

#include <string>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/config/destination_config.hpp"

namespace outrider::sidecar {

class StallLog {
 public:
  static constexpr Duration stalled_after = std::chrono::seconds(30);
  static constexpr Duration reminder_interval = std::chrono::minutes(10);

  StallLog(const DestinationConfig& config, Log& log);

  /// An attempt begins. `is_first`: no other is under way.
  void started(bool is_first, const Now& now);
  /// An attempt has completed. `is_last`: no other is under way.
  void settled(bool is_last, const Now& now);

  /// `waiting`: events that have not gone out.
  void do_work(std::uint64_t waiting, const Now& now);
  MonoTime next_deadline() const { return next_line_; }

 private:
  const std::string destination_;
  Log& log_;
  const bool is_used_;
  MonoTime since_ = never;  ///< nothing has completed
  MonoTime next_line_ = never;
  bool is_told_ = false;
};

}  // namespace outrider::sidecar
