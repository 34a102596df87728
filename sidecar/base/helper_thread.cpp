#include "sidecar/base/helper_thread.hpp"

#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <system_error>
#include <utility>

#include <pthread.h>

namespace outrider::sidecar {

/// The state that the object and its thread share; lives as long as either of them.
struct HelperThread::State {
  std::mutex mutex;  ///< guards all below
  std::condition_variable has_work;
  std::condition_variable is_idle;
  std::deque<Job> jobs;
  bool is_running = false;
  bool is_ending = false;
  const char* name = nullptr;  ///< a literal

  bool is_done() const { return !is_running && jobs.empty(); }
  void run() {
    pthread_setname_np(pthread_self(), name);
    std::unique_lock lock(mutex);
    for (;;) {
      has_work.wait(lock, [this] { return is_ending || !jobs.empty(); });
      if (is_ending) return;
      Job job = std::move(jobs.front());
      jobs.pop_front();
      is_running = true;
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
      is_running = false;
      if (jobs.empty()) is_idle.notify_all();
    }
  }
};

HelperThread::HelperThread(const char* name, std::chrono::milliseconds wait_max)
    : state_(std::make_shared<State>()), wait_max_(wait_max) {
  state_->name = name;
}

HelperThread::~HelperThread() {
  if (!thread_.joinable()) return;
  bool is_stuck = false;
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_ending = true;
    is_stuck = state_->is_running;
  }
  state_->has_work.notify_one();
  if (is_stuck) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

bool HelperThread::run(Job job) {
  if (!thread_.joinable()) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      thread_ = std::thread([state = state_] { state->run(); });
    } catch (const std::system_error&) {
      // Said by the result.
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (!thread_.joinable()) return false;
  }
  std::unique_lock lock(state_->mutex);
  const bool was_idle = state_->is_done();
  state_->jobs.push_back(std::move(job));
  state_->has_work.notify_one();
  if (!was_idle) return true;
  state_->is_idle.wait_for(lock, wait_max_, [this] { return state_->is_done(); });
  return true;
}

bool HelperThread::wait_until(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(state_->mutex);
  return state_->is_idle.wait_until(lock, deadline, [this] { return state_->is_done(); });
}

bool HelperThread::wait_for(std::chrono::milliseconds wait_max) {
  std::unique_lock lock(state_->mutex);
  return state_->is_idle.wait_for(lock, wait_max, [this] { return state_->is_done(); });
}

}  // namespace outrider::sidecar
