// Log: the sidecar's messages to its operators, on stderr, as text or as JSON lines.
//
// Used by every part that has something to report; passed by reference, never global. A line is a
// fixed message and named fields: `log.warn("destination paused", {{"destination", name}})`.
// Thread: the system log is safe from any thread. Tests use support/memory_log.hpp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace outrider::sidecar {

enum class LogLevel : std::uint8_t { debug, info, warn, error };
enum class LogFormat : std::uint8_t { text, json };

using LogField = std::pair<std::string_view, std::string>;
/// The field with the words of a receiver, which may repeat an event or a secret.
inline constexpr std::string_view receiver_words_field = "answer";
using LogFields = std::initializer_list<LogField>;

class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view message, LogFields fields) = 0;
  /// Lines below it are left out from now on.
  virtual void set_level(LogLevel /*level*/) {}
  /// Lines that nobody read and that were dropped, since the start.
  virtual std::uint64_t lines_dropped() const { return 0; }

  void debug(std::string_view message, LogFields fields = {}) {
    write(LogLevel::debug, message, fields);
  }
  void info(std::string_view message, LogFields fields = {}) {
    write(LogLevel::info, message, fields);
  }
  void warn(std::string_view message, LogFields fields = {}) {
    write(LogLevel::warn, message, fields);
  }
  void error(std::string_view message, LogFields fields = {}) {
    write(LogLevel::error, message, fields);
  }
};

/// The log on stderr.
std::unique_ptr<Log> make_stderr_log(LogLevel level, LogFormat format);

}  // namespace outrider::sidecar
