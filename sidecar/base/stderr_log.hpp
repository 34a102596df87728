// StderrLog: the Log of the process, lines on stderr that nothing ever waits for.
//
// Used by `outrider run`, which also writes its report there, and by embedded mode. What nobody
// reads is dropped and counted (line_writer.hpp). When stderr is the stream that systemd's journal
// has given us (JOURNAL_STREAM), each line begins with its priority. Text of strangers is made
// printable first. Thread: safe from any thread. Owns: a thread.
#pragma once

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

  /// The last words, as they are.
  void write_report(std::string_view text) { writer_.add_last(text); }

  /// False: not all of it was read before this time.
  bool wait_until_written(std::chrono::steady_clock::time_point deadline) {
    return writer_.wait_until_written(deadline);
  }

 private:
  class Formatter;

  const LogLevel level_;
  const std::shared_ptr<Formatter> formatter_;
  LineWriter writer_;
};

/// Whether `fd` is the stream that JOURNAL_STREAM ("device:inode") names.
bool is_journal(int fd, const char* journal_stream);

}  // namespace outrider::sidecar
