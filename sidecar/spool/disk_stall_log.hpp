// DiskStallLog: tells the log that the spool's disk takes nothing and fails nothing, and when it
// goes on.
//
// A disk that is frozen, or a file server that does not answer, holds the storage thread for ever:
// that is no failure, and no group comes back. A database that another program has locked is no
// such disk: the storage thread tries, and speaks of it itself.
//
// Used by Spool. Thread: the sidecar's one. Borrows: the log. Limits: one line when it has lasted
// for stalled_after, one every reminder_interval, one when it is over.
#pragma once

#include <cstdint>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class DiskStallLog {
 public:
  static constexpr Duration stalled_after = std::chrono::seconds(30);
  static constexpr Duration reminder_interval = std::chrono::minutes(10);

  explicit DiskStallLog(Log& log) : log_(log) {}

  /// A group goes to the storage thread. `attempts`: how often that has tried one in vain so far.
  void asked(std::uint64_t attempts, const Now& now);
  /// It is back.
  void answered(const Now& now);

  /// `waiting`: events that are to be stored.
  void do_work(std::uint64_t attempts, std::uint64_t waiting, const Now& now);
  MonoTime next_deadline() const { return next_line_; }

 private:
  Log& log_;
  MonoTime since_ = never;  ///< nothing was heard of the storage thread
  MonoTime next_line_ = never;
  std::uint64_t attempts_ = 0;
  bool is_told_ = false;
};

}  // namespace outrider::sidecar
