#include "sidecar/cli/run_command.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "sidecar/app/host.hpp"
#include "sidecar/app/probe.hpp"
#include "sidecar/cli/commands.hpp"
#include "sidecar/cli/config_arguments.hpp"
#include "sidecar/cli/service_notify.hpp"
#include "sidecar/cli/startup_pages.hpp"
#include "sidecar/config/load.hpp"

namespace outrider::sidecar {
namespace {

/// Closing may hang in a library; the process ends this long after its time to stop at the latest.
constexpr std::chrono::seconds close_time_max{1};
constexpr std::chrono::milliseconds same_signal_time{200};

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

/// Waits for stop signals in a thread of its own, for they are blocked in all others.
class StopSignals {
 public:
  StopSignals(Host& host, Duration stop_time_max)
      : stop_time_max_(stop_time_max), thread_([this, &host] { wait(host); }) {}

  ~StopSignals() {
    is_done_.store(true);
    pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
  }

 private:
  void wait(Host& host) {
    const sigset_t signals = stop_signals();
    int signal = 0;
    sigwait(&signals, &signal);
    if (is_done_.load()) return;
    notify_service_manager("STOPPING=1");
    host.request_stop();
    const bool is_late = !wait_for_second(signals);
    if (is_done_.load()) return;
    constexpr std::string_view late = "outrider: the shutdown hangs, ending now; events are lost\n";
    constexpr std::string_view second =
        "outrider: second signal, ending at once; events may be lost\n";
    const std::string_view text = is_late ? late : second;
    // Only if there is room for it: perhaps a log that nobody reads is what has taken so long.
    pollfd room = {STDERR_FILENO, POLLOUT, 0};
    if (poll(&room, 1, 0) == 1) {
      [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    }
    _exit(exit_events_lost);
  }

  /// False: the time in which the shutdown must be complete is over.
  bool wait_for_second(const sigset_t& signals) const {
    using std::chrono::steady_clock;
    const auto begin = steady_clock::now();
    const auto deadline = begin + stop_time_max_ + close_time_max;
    for (;;) {
      const auto left =
          std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - steady_clock::now());
      if (left.count() <= 0) return false;
      const timespec timeout = {left.count() / 1'000'000'000, left.count() % 1'000'000'000};
      const bool has_signal = sigtimedwait(&signals, nullptr, &timeout) > 0;
      if (is_done_.load()) return true;
      // Some senders signal the process and then its group: that is one wish, not two.
      if (has_signal && steady_clock::now() - begin > same_signal_time) return true;
    }
  }

  const Duration stop_time_max_;
  std::atomic<bool> is_done_ = false;
  std::thread thread_;
};

/// Ends the process with this status if it has not ended by itself in time.
void end_in_any_case(int status, MonoTime stop_until) {
  std::thread([status, stop_until] {
    std::this_thread::sleep_until(stop_until + close_time_max);
    _exit(status);
  }).detach();
}

int run_host(Host& host, Duration stop_time_max, Log& log) {
  release_startup_pages();
  notify_service_manager("READY=1");
  log.info("ready", {{"version", OUTRIDER_VERSION}, {"pid", std::to_string(getpid())}});
  {
    StopSignals signals(host, stop_time_max);
    host.run();
  }
  const int status = host.has_losses() ? exit_events_lost : exit_done;
  // Before the report: perhaps nobody reads it.
  end_in_any_case(status, host.stop_until());
  std::fputs(host.report().c_str(), stderr);
  return status;
}

}  // namespace

int run_command(const std::vector<std::string>& arguments) {
  ConfigArguments given;
  if (const auto status = read_config_arguments("outrider run", arguments, given)) return *status;
  const LoadResult result = load_config(given.file, given.settings);
  if (!result.ok()) {
    for (const Error& error : result.errors) std::fprintf(stderr, "%s\n", error.message.c_str());
    return exit_usage;
  }
  const Config& config = result.loaded.config;
  const auto log = make_stderr_log(config.log_level, config.log_format);
  for (const std::string& warning : result.loaded.warnings) log->warn(warning);
  // What is in use is found by opening it.
  const ProbeReport found = probe(result.loaded, given.file);
  for (const std::string& warning : found.warnings) log->warn(warning);
  for (const std::string& error : found.errors) log->error("cannot start", {{"because", error}});
  if (!found.errors.empty()) return exit_failed;

  // Before any thread is made: all of them inherit it.
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto host = Host::open(config, *log);
  if (!host.ok()) {
    log->error("cannot start", {{"because", host.error().message}});
    return exit_failed;
  }
  const int status = run_host(*host.value(), Host::stop_time_max(config), *log);
  host.value().reset();
  return status;
}

}  // namespace outrider::sidecar
