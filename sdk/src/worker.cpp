#include "sdk/src/worker.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <limits>
#include <mutex>
#include <utility>

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace outrider::sdk {

long left_ms(SteadyTime deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<long>(
      std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, std::numeric_limits<int>::max()));
}

std::thread start_thread(std::function<void()> run) {
  std::thread thread;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread = std::thread([run = std::move(run)] {
      pthread_setname_np(pthread_self(), "outrider");
      run();
    });
  } catch (...) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

bool are_threads_left() {
  // libzmq starts two; one more for another part that starts one at the same moment.
  std::array<std::thread, 3> threads;
  std::mutex gate;
  bool are_left = true;
  {
    // All of them at the same time.
    const std::lock_guard hold(gate);
    for (std::thread& thread : threads) {
      thread = start_thread([&gate] { const std::lock_guard pass(gate); });
      are_left &= thread.joinable();
    }
  }
  for (std::thread& thread : threads) {
    if (thread.joinable()) thread.join();
  }
  return are_left;
}

Worker::~Worker() {
  if (thread_.joinable()) thread_.join();
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

bool Worker::start(std::function<void()> run) {
  if (wake_fd_ < 0) wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) return false;
  thread_ = start_thread([this, run = std::move(run)] {
    run();
    const std::lock_guard guard(mutex_);
    is_finished_ = true;
    finished_.notify_all();
  });
  return thread_.joinable();
}

void Worker::wake() const {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is awake.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

void Worker::close(SteadyTime deadline) {
  SteadyTime none = SteadyTime::max();
  deadline_.compare_exchange_strong(none, deadline);
  wake();
}

bool Worker::close_wait() {
  std::unique_lock lock(mutex_);
  return finished_.wait_until(lock, deadline() + close_margin, [&] { return is_finished_; });
}

bool Worker::is_finished() {
  const std::lock_guard guard(mutex_);
  return is_finished_;
}

void Worker::abandon() {
  // Kept where leak checkers find it, and with it the object that it is a member of.
  static Worker* first_abandoned = nullptr;
  next_abandoned_ = first_abandoned;
  first_abandoned = this;
}

}  // namespace outrider::sdk
