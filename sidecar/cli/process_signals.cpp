#include "sidecar/cli/process_signals.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <pthread.h>
#include <unistd.h>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/pause.hpp"
#include "sidecar/base/thread_probe.hpp"
#include "sidecar/cli/last_words.hpp"
#include "sidecar/cli/service_notify.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::steady_clock;

/// Some senders signal the process and then its group: that is one wish, not two.
constexpr std::chrono::milliseconds same_signal_time{200};
/// Between two lines about a signal that is ignored.
constexpr std::chrono::seconds said_again{1};
/// While a deadline runs the thread looks so often whether the whole process was paused. It counts
/// shorter pauses than Host does: whatever time Host gives a stop again, it has here too.
constexpr std::chrono::milliseconds look_interval{100};
constexpr std::chrono::milliseconds pause_min{500};

/// Signals of the kernel that ask for nothing, and job control by hand, keep their usual effect.
constexpr std::array left_alone = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGTSTP,
                                   // The thread itself has done wrong: blocked, they kill it.
                                   SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

sigset_t taken_signals() {
  sigset_t signals;
  sigfillset(&signals);
  for (const int signal : left_alone) sigdelset(&signals, signal);
  return signals;
}

bool is_stop(int signal) {
  return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
}

std::string signal_name(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name != nullptr ? "SIG" + std::string(name) : std::to_string(signal);
}

}  // namespace

void block_signals() {
  const sigset_t signals = taken_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

/// The state that the object and its thread share; the thread lives until the process ends.
struct ProcessSignals::State {
  enum class Phase : std::uint8_t { starting, serving, ended };

  std::mutex mutex;  ///< guards all below
  Phase phase = Phase::starting;
  Host* host = nullptr;  ///< while serving
  Log* log = nullptr;    ///< before it is set, and at the end, nothing is logged
  Duration stop_time_max = start_time_max;
  std::optional<steady_clock::time_point> stop_began;
  std::optional<MonoTime> deadline;
  int status = exit_failed;  ///< of an end that hangs
  pthread_t thread{};

  void run();
  int next_signal();
  void make_up_for(Duration lost);
  void stop(int signal);
  bool reload();
  void ignore(int signal);
  void end_if_late();

  // The thread's own.
  /// When it last returned from its sleep: a pause may also come while it is awake.
  steady_clock::time_point looked_at = steady_clock::now();
  std::array<std::optional<steady_clock::time_point>, 65> said;
};

/// The next signal; 0 when it is time to look at the deadline.
int ProcessSignals::State::next_signal() {
  const sigset_t signals = taken_signals();
  std::optional<MonoTime> until;
  {
    const std::lock_guard lock(mutex);
    until = deadline;
  }
  int signal = 0;
  if (!until) {
    sigwait(&signals, &signal);
    looked_at = steady_clock::now();
    return signal;
  }
  const Duration wait =
      std::clamp<Duration>(*until - steady_clock::now(), Duration::zero(), look_interval);
  const timespec timeout = {0, wait.count()};
  signal = sigtimedwait(&signals, nullptr, &timeout);
  if (signal <= 0) signal = errno == EINTR ? SIGCONT : 0;  // which means nothing
  const auto awake_at = steady_clock::now();
  make_up_for(lost_time(awake_at - std::exchange(looked_at, awake_at), wait, pause_min));
  return signal;
}

/// A pause does not count as time of the stop. The intended sleep counts each time, so the deadline
/// is reached even after many pauses.
void ProcessSignals::State::make_up_for(Duration lost) {
  const std::lock_guard lock(mutex);
  if (deadline) *deadline += lost;
}

void ProcessSignals::State::stop(int signal) {
  const auto now = steady_clock::now();
  {
    const std::lock_guard lock(mutex);
    if (stop_began && now - *stop_began < same_signal_time) return;
    if (stop_began && phase == Phase::starting) {
      end_process(exit_failed, "cannot start", "a second stop signal arrived");
    }
    if (stop_began) {
      end_process(exit_events_lost, "ended at once; events may be lost",
                  "a second stop signal arrived");
    }
    stop_began = now;
    if (!deadline) deadline = now + stop_time_max;
    if (log != nullptr) log->info("a stop was asked for", {{"by", signal_name(signal)}});
    if (host != nullptr) host->request_stop();
  }
  notify_service_manager("STOPPING=1");
}

/// False: there is nothing yet to be reloaded.
bool ProcessSignals::State::reload() {
  const std::lock_guard lock(mutex);
  if (host == nullptr) return false;
  host->reloads().ask("SIGHUP");
  return true;
}

void ProcessSignals::State::ignore(int signal) {
  const auto now = steady_clock::now();
  auto& last = said[static_cast<std::size_t>(signal) % said.size()];
  const std::lock_guard lock(mutex);
  if (log == nullptr || (last && now - *last < said_again)) return;
  last = now;
  const std::string_view hint =
      signal == SIGHUP ? "the sidecar starts or stops" : "send SIGTERM to stop the sidecar";
  log->warn("signal ignored", {{"signal", signal_name(signal)}, {"hint", std::string(hint)}});
}

void ProcessSignals::State::end_if_late() {
  const std::lock_guard lock(mutex);
  // Meanwhile the start may have come to its end, and the stop has more time.
  if (deadline && *deadline > steady_clock::now()) return;
  switch (phase) {
    case Phase::starting:
      end_process(exit_failed, "cannot start", "a stop signal arrived, and the start hangs");
    case Phase::serving:
      end_process(exit_events_lost, "ended at once; events are lost", "the shutdown hangs");
    case Phase::ended:
      break;
  }
  _exit(status);
}

void ProcessSignals::State::run() {
  pthread_setname_np(pthread_self(), "signals");
  for (;;) {
    const int signal = next_signal();
    if (signal == 0) {
      end_if_late();
    } else if (is_stop(signal)) {
      stop(signal);
    } else if (signal != SIGCONT && !(signal == SIGHUP && reload())) {
      ignore(signal);
    }
  }
}

Result<std::unique_ptr<ProcessSignals>> ProcessSignals::start() {
  auto state = std::make_shared<State>();
  try {
    std::thread thread([state] { state->run(); });
    state->thread = thread.native_handle();
    thread.detach();
  } catch (const std::system_error& error) {
    return no_threads(error.what());
  }
  return std::unique_ptr<ProcessSignals>(new ProcessSignals(std::move(state)));
}

ProcessSignals::ProcessSignals(std::shared_ptr<State> state) : state_(std::move(state)) {}

ProcessSignals::~ProcessSignals() {
  const std::lock_guard lock(state_->mutex);
  state_->host = nullptr;
  state_->log = nullptr;
}

void ProcessSignals::say_to(Log& log) {
  const std::lock_guard lock(state_->mutex);
  state_->log = &log;
}

void ProcessSignals::serve(Host& host, Duration stop_time_max) {
  const std::lock_guard lock(state_->mutex);
  state_->phase = State::Phase::serving;
  state_->host = &host;
  state_->stop_time_max = stop_time_max + close_time_max;
  if (!state_->stop_began) return;
  state_->deadline = steady_clock::now() + state_->stop_time_max;
  host.request_stop();
}

void ProcessSignals::use(Duration stop_time_max) {
  const std::lock_guard lock(state_->mutex);
  state_->stop_time_max = stop_time_max + close_time_max;
}

void ProcessSignals::ended(int status, MonoTime deadline) {
  const std::lock_guard lock(state_->mutex);
  state_->phase = State::Phase::ended;
  state_->host = nullptr;
  state_->log = nullptr;
  state_->status = status;
  state_->deadline = deadline;
  // So that the thread looks at the deadline; it ignores this one.
  pthread_kill(state_->thread, SIGUSR1);
}

}  // namespace outrider::sidecar
