#include <algorithm>
#include <mutex>
#include <system_error>

#include <spdlog/pattern_formatter.h>

#include "sidecar/base/journal.hpp"
#include "sidecar/base/level_names.hpp"
#include "sidecar/base/stderr_log.hpp"
#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t value_bytes_max = 2048;

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : printable(text, value_bytes_max)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
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

/// The members after the time that spdlog's pattern writes.
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

}  // namespace

class StderrLog::Formatter {
 public:
  Formatter(LogFormat format, bool has_priorities)
      : format_(format),
        has_priorities_(has_priorities),
        pattern_(format == LogFormat::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})"
                                           : "%Y-%m-%dT%H:%M:%S.%eZ %v",
                 spdlog::pattern_time_type::utc) {}

  std::string report(LogLevel level, std::string_view text) {
    if (format_ == LogFormat::text) {
      return has_priorities_ ? with_priority(level, text) : std::string(text);
    }
    std::string lines;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      if (end > 0) lines += line(level, text.substr(0, end), {});
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
  }

  std::string line(LogLevel level, std::string_view message, LogFields fields) {
    const std::string text = format_ == LogFormat::json ? json_members(level, message, fields)
                                                        : text_line(level, message, fields);
    spdlog::memory_buf_t line;
    if (has_priorities_) line.append(journal_priority(level));
    const std::lock_guard lock(mutex_);
    pattern_.format(spdlog::details::log_msg("", spdlog::level::info, text), line);
    return {line.data(), line.size()};
  }

 private:
  const LogFormat format_;
  const bool has_priorities_;
  std::mutex mutex_;  ///< guards the members below
  spdlog::pattern_formatter pattern_;
};

StderrLog::StderrLog(LogLevel level, LogFormat format, int fd)
    : level_(level),
      formatter_(std::make_shared<Formatter>(format, is_journal(fd))),
      writer_(fd, [formatter = formatter_](std::uint64_t lines, int error) {
        return formatter->line(LogLevel::warn, "log lines were dropped",
                               {{"lines", std::to_string(lines)},
                                {"because", error == 0 ? "nobody read them in time"
                                                       : std::generic_category().message(error)}});
      }) {}

void StderrLog::write(LogLevel level, std::string_view message, LogFields fields) {
  if (level >= level_.load(std::memory_order_relaxed))
    writer_.add(formatter_->line(level, message, fields));
}

void StderrLog::write_report(LogLevel level, std::string_view text) {
  writer_.add_last(formatter_->report(level, text));
}

std::unique_ptr<Log> make_stderr_log(LogLevel level, LogFormat format) {
  return std::make_unique<StderrLog>(level, format);
}

}  // namespace outrider::sidecar
