// Worker: a thread of the SDK and its life: start, sleep, wake, close, end, fork.
//
// Used by Shipper and Courier. Each has one worker, as its last member: the destructor waits for
// the thread, which uses the other members. Thread: the public functions are safe from any thread,
// except start(), abandon() and the destructor, which no other call may overlap.
//
// - Sleep: the thread may sleep anywhere, on wake_fd(). A wake() is never lost: it ends this sleep
//   or the next one.
// - Close: close() sets a deadline, once, and wakes the thread. The thread looks at it by itself,
//   does its last work until then, and returns. close_wait() grants it `close_margin` more. A
//   thread that is still not finished hangs in libzmq: the worker and everything that the thread
//   uses must be leaked.
// - Fork: the child has no thread, and its copies of the locks may be locked for ever. It calls
//   abandon() and never again touches the worker or anything that the thread uses.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace outrider::sdk {

using SteadyTime = std::chrono::steady_clock::time_point;

/// Rounded up; 0 for a time that has passed, and never more than an int holds, as libzmq and poll()
/// require.
long left_ms(SteadyTime deadline);

/// Starts a thread that none of the host's signals reach, nor the threads that libzmq starts from
/// it. Not joinable: there is none left.
std::thread start_thread(std::function<void()> run);

/// Whether the process may start the threads that libzmq needs, tried by starting as many.
bool are_threads_left();

class Worker {
 public:
  static constexpr std::chrono::milliseconds close_margin{250};

  Worker() = default;
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Starts the thread, which calls `run` and ends. False: no thread or descriptor left; may be
  /// tried again.
  bool start(std::function<void()> run);

  void wake() const;
  int wake_fd() const { return wake_fd_; }

  /// The first deadline counts.
  void close(SteadyTime deadline);
  bool is_closing() const { return deadline() != SteadyTime::max(); }
  /// SteadyTime::max() before close().
  SteadyTime deadline() const { return deadline_.load(); }
  /// The time to close is up.
  bool is_over() const { return left_ms(deadline()) == 0; }
  /// How long the thread may sleep that wants to sleep for `timeout_ms`; -1: without a limit.
  long sleep_ms(long timeout_ms) const {
    if (!is_closing()) return timeout_ms;
    const long closing_ms = left_ms(deadline());
    return timeout_ms < 0 ? closing_ms : std::min(timeout_ms, closing_ms);
  }

  /// After close(). False: the thread hangs.
  bool close_wait();
  bool is_finished();
  bool is_this_thread() const { return thread_.get_id() == std::this_thread::get_id(); }

  void abandon();

 private:
  int wake_fd_ = -1;
  std::thread thread_;
  std::atomic<SteadyTime> deadline_{SteadyTime::max()};
  std::mutex mutex_;
  std::condition_variable finished_;
  bool is_finished_ = false;  ///< guarded by mutex_
  Worker* next_abandoned_ = nullptr;
};

}  // namespace outrider::sdk
