#include "sidecar/cli/last_words.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <new>

#include <poll.h>
#include <unistd.h>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/journal.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t cause_bytes_max = 200;

// Also read by threads that are there before they are set.
std::atomic<bool> is_json = false;
std::atomic<bool> has_priority = false;

/// Characters that would break a line or a JSON string.
bool is_unsafe(char c) {
  return c == '"' || c == '\\' || (c != '\0' && static_cast<unsigned char>(c) < ' ');
}

void say(const char* message, const char* cause) {
  // Only if there is room for it: perhaps an unread log is why the process ends.
  pollfd room = {STDERR_FILENO, POLLOUT, 0};
  if (poll(&room, 1, 0) != 1) return;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char time[32];
  std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
  // The message is ours, the cause perhaps a library's.
  char safe[cause_bytes_max + 1] = "";
  std::snprintf(safe, sizeof safe, "%s", cause);
  std::replace_if(safe, safe + sizeof safe - 1, is_unsafe, '\'');
  // Enough for both forms of the line.
  char line[512];
  const int size =
      std::snprintf(line, sizeof line,
                    is_json ? "%s{\"time\":\"%s.%03ldZ\",\"level\":\"error\",\"message\":\"%s\","
                              "\"because\":\"%s\"}\n"
                            : "%s%s.%03ldZ error %s because=\"%s\"\n",
                    has_priority ? "<3>" : "", time, now.tv_nsec / 1'000'000, message, safe);
  if (size <= 0) return;
  [[maybe_unused]] const ssize_t written =
      write(STDERR_FILENO, line, std::min(static_cast<std::size_t>(size), sizeof line - 1));
}

[[noreturn]] void end_in_the_middle(const char* cause) {
  end_process(exit_broken,
              "the process ended unexpectedly; events that were only in memory are lost", cause);
}

[[noreturn]] void on_terminate() {
  try {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
    end_in_the_middle("std::terminate() was called");
  } catch (const std::bad_alloc&) {
    end_in_the_middle("out of memory: lower queue_bytes_max, or raise the memory limit");
  } catch (const std::exception& error) {
    end_in_the_middle(error.what());
  } catch (...) {
    end_in_the_middle("an unknown kind of error");
  }
}

struct FatalSignal {
  int signal;
  const char* cause;
};
constexpr FatalSignal fatal_signals[] = {
    {SIGABRT, "a library called abort(); its own message may be in the lines before"},
    {SIGBUS,
     "a mapped file was emptied or cannot be read: the spool's -shm file, or the program file"},
#ifndef OUTRIDER_SANITIZED  // a sanitizer reports these itself
    {SIGSEGV, "SIGSEGV: a bug in Outrider or in a library"},
    {SIGILL,
     "SIGILL: a bug in Outrider or in a library, or another processor than it was built for"},
    {SIGFPE, "SIGFPE: a bug in Outrider or in a library"},
    {SIGTRAP, "SIGTRAP: a bug in Outrider or in a library"},
    {SIGSYS, "SIGSYS: a system call is forbidden here; see SystemCallFilter= in the unit"},
#endif
};

void on_fatal_signal(int signal) {
  for (const FatalSignal& fatal : fatal_signals) {
    if (fatal.signal == signal) end_in_the_middle(fatal.cause);
  }
}

}  // namespace

void end_process(int status, const char* message, const char* cause) {
  say(message, cause);
  _exit(status);
}

void install_last_words(LogFormat format) {
  is_json = format == LogFormat::json;
  has_priority = is_journal(STDERR_FILENO);
  std::set_terminate(on_terminate);
  for (const FatalSignal& fatal : fatal_signals) std::signal(fatal.signal, on_fatal_signal);
}

}  // namespace outrider::sidecar
