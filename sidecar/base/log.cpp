#include "sidecar/base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t value_bytes_max = 2048;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : printable(text, value_bytes_max)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

std::string_view level_name(LogLevel level) {
  constexpr std::string_view names[] = {"debug", "info", "warn", "error"};
  return names[static_cast<std::size_t>(level)];
}

/// `level message key=value key="two words"`.
std::string text_line(LogLevel level, std::string_view message, LogFields fields) {
  std::string line(level_name(level));
  line += ' ';
  line += message;
  for (const auto& [name, value] : fields) {
    const bool needs_quotes = value.empty() || value.find_first_of(" \"=") != std::string::npos;
    line += ' ';
    line += name;
    line += '=';
    if (needs_quotes) {
      append_json_string(value, line);
    } else {
      line += printable(value, value_bytes_max);
    }
  }
  return line;
}

/// The members behind the time that spdlog's pattern writes.
std::string json_members(LogLevel level, std::string_view message, LogFields fields) {
  std::string line = "\"level\":\"";
  line += level_name(level);
  line += "\",\"message\":";
  append_json_string(message, line);
  for (const auto& [name, value] : fields) {
    line += ',';
    append_json_string(name, line);
    line += ':';
    append_json_string(value, line);
  }
  return line;
}

class StderrLog final : public Log {
 public:
  StderrLog(LogLevel level, LogFormat format)
      : format_(format), logger_("outrider", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger_.set_level(to_spdlog(level));
    logger_.flush_on(spdlog::level::debug);
    logger_.set_pattern(format == LogFormat::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})"
                                                  : "%Y-%m-%dT%H:%M:%S.%eZ %v",
                        spdlog::pattern_time_type::utc);
  }

  void write(LogLevel level, std::string_view message, LogFields fields) override {
    const auto spdlog_level = to_spdlog(level);
    if (!logger_.should_log(spdlog_level)) return;
    logger_.log(spdlog_level, format_ == LogFormat::json ? json_members(level, message, fields)
                                                         : text_line(level, message, fields));
  }

 private:
  LogFormat format_;
  spdlog::logger logger_;
};

}  // namespace

std::unique_ptr<Log> make_stderr_log(LogLevel level, LogFormat format) {
  return std::make_unique<StderrLog>(level, format);
}

}  // namespace outrider::sidecar
