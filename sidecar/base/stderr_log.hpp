// StderrLog: the Log of the process, written to stderr without ever blocking the caller.
//
// Used by `outrider run`, which also writes its report there, and by embedded mode. Unread lines
// are dropped and counted (line_writer.hpp). In systemd's journal each line has its priority
// (journal.hpp). Text from outside is made printable first. Thread: safe from any thread. Owns: a
// thread.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string_view>

#include "sidecar/base/line_writer.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class StderrLog final : public Log {
 public:
  StderrLog(LogLevel level, LogFormat format, int fd = 2);

  void write(LogLevel level, std::string_view message, LogFields fields) override;
  void set_level(LogLevel level) override { level_.store(level, std::memory_order_relaxed); }
  std::uint64_t lines_dropped() const override { return writer_.lines_dropped(); }

  /// The last words: lines as they are, or each as the message of a JSON object, whatever the level
  /// of the log is.
  void write_report(LogLevel level, std::string_view text);

  /// False: not all of it was read before this time.
  bool wait_until_written(std::chrono::steady_clock::time_point deadline) {
    return writer_.wait_until_written(deadline);
  }

 private:
  class Formatter;

  std::atomic<LogLevel> level_;
  const std::shared_ptr<Formatter> formatter_;
  LineWriter writer_;
};

}  // namespace outrider::sidecar
