#include "sidecar/cli/last_words.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <new>

#include <unistd.h>

#include "sidecar/base/journal.hpp"
#include "sidecar/cli/commands.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t cause_bytes_max = 200;

bool is_json = false;
bool has_priority = false;

void say(const char* cause) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char time[32];
  std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
  char safe[cause_bytes_max + 1] = "";
  std::snprintf(safe, sizeof safe, "%s", cause);
  // Enough for both forms of the line; the cause is ours, or a library's.
  std::replace_if(
      safe, safe + sizeof safe - 1,
      [](char c) {
        return c == '"' || c == '\\' || (c != '\0' && static_cast<unsigned char>(c) < ' ');
      },
      '\'');
  char line[512];
  const int size = std::snprintf(
      line, sizeof line,
      is_json ? "%s{\"time\":\"%s.%03ldZ\",\"level\":\"error\",\"message\":\"the process ends in "
                "the middle; what it had in memory only is lost\",\"because\":\"%s\"}\n"
              : "%s%s.%03ldZ error the process ends in the middle; what it had in memory only is "
                "lost because=\"%s\"\n",
      has_priority ? "<3>" : "", time, now.tv_nsec / 1'000'000, safe);
  if (size <= 0) return;
  [[maybe_unused]] const ssize_t written =
      write(STDERR_FILENO, line, std::min(static_cast<std::size_t>(size), sizeof line - 1));
}

[[noreturn]] void on_terminate() {
  try {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
    say("std::terminate() was called");
  } catch (const std::bad_alloc&) {
    say("out of memory: lower queue_bytes_max, or raise the limit of memory");
  } catch (const std::exception& error) {
    say(error.what());
  } catch (...) {
    say("an error of an unknown kind");
  }
  _exit(exit_broken);
}

void on_abort(int /*signal*/) {
  say("a library has called abort(); its own words may stand before this line");
  _exit(exit_broken);
}

void on_bus_error(int /*signal*/) {
  say("a mapped file was emptied or cannot be read: the spool's -shm, or the program's own");
  _exit(exit_broken);
}

}  // namespace

void install_last_words(LogFormat format) {
  is_json = format == LogFormat::json;
  has_priority = is_journal(STDERR_FILENO);
  std::set_terminate(on_terminate);
  std::signal(SIGABRT, on_abort);
  std::signal(SIGBUS, on_bus_error);
}

}  // namespace outrider::sidecar
