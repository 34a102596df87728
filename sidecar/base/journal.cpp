#include "sidecar/base/journal.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {

bool is_journal(int fd, const char* journal_stream) {
  struct stat status {};
  if (journal_stream == nullptr || fstat(fd, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == journal_stream;
}

bool is_journal(int fd) {
  return is_journal(fd, std::getenv("JOURNAL_STREAM"));  // NOLINT(concurrency-mt-unsafe)
}

std::string_view journal_priority(LogLevel level) {
  constexpr std::string_view names[] = {"<7>", "<6>", "<4>", "<3>"};
  return names[static_cast<std::size_t>(level)];
}

std::string with_priority(LogLevel level, std::string_view lines) {
  std::string out;
  while (!lines.empty()) {
    const std::size_t newline = lines.find('\n');
    const std::size_t size = newline == std::string_view::npos ? lines.size() : newline + 1;
    out += journal_priority(level);
    out += lines.substr(0, size);
    lines.remove_prefix(size);
  }
  return out;
}

std::string printable_lines(std::string_view lines) {
  std::string out;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    out += printable(lines.substr(0, end), end);
    if (end < lines.size()) out += '\n';
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return out;
}

void print_errors(std::string_view lines) {
  std::string text = printable_lines(lines);
  if (is_journal(STDERR_FILENO)) text = with_priority(LogLevel::error, text);
  std::fputs(text.c_str(), stderr);
}

}  // namespace outrider::sidecar
