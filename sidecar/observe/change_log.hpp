// ChangeLog: a Log that also remembers the last transitions of the sidecar: a breaker that opened,
// drops that began or ended, a pause, a reload, a disk that is full.
//
// Used by Host, which puts it before the log of the process; read by the admin server. A transition
// is a line of the log whose message is in the table of change_log.cpp; so there is one place that
// says what happened, and each line is limited already.
// Thread: safe from any thread. Owns: copies. Borrows: the log behind it.
// Limits: changes_max changes, bytes_max bytes; the oldest go first. Values are cut.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

struct Change {
  std::uint64_t number = 0;  ///< grows by 1; a gap: older ones were forgotten
  WallTime at{};
  LogLevel level{};
  std::string kind;  ///< "breaker", "disk" and so on: the second column of the table
  std::string message;
  std::vector<std::pair<std::string, std::string>> fields;
};

class ChangeLog final : public Log {
 public:
  static constexpr std::size_t changes_max = 256;
  static constexpr std::size_t bytes_max = 64U << 10U;
  static constexpr std::size_t value_bytes_max = 256;

  ChangeLog(Log& next, const Clock& clock) : next_(next), clock_(clock) {}

  void write(LogLevel level, std::string_view message, LogFields fields) override;
  void set_level(LogLevel level) override { next_.set_level(level); }
  std::uint64_t lines_dropped() const override { return next_.lines_dropped(); }

  /// From this number on, the oldest first.
  std::vector<Change> since(std::uint64_t number) const;

  /// The messages that are transitions.
  static std::vector<std::string_view> messages();

 private:
  Log& next_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::deque<Change> changes_;
  std::size_t bytes_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace outrider::sidecar
