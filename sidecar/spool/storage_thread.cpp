#include "sidecar/spool/storage_thread.hpp"

#include <utility>

#include <pthread.h>

#include "sidecar/base/time_left.hpp"

namespace outrider::sidecar {
namespace {

/// Nothing is due: only a question or the end ends the wait.
constexpr Duration idle_wait = std::chrono::hours(1);

}  // namespace

StorageThread::StorageThread(std::unique_ptr<StorageAgent> agent, Exchange& exchange,
                             const Clock& clock)
    : agent_(std::move(agent)), exchange_(exchange), clock_(clock) {
  exchange_.wake_storage = [this] {
    {
      const std::lock_guard guard(mutex_);
      is_woken_ = true;
    }
    changed_.notify_one();
  };
  thread_ = std::thread([this] { run(); });
}

StorageThread::~StorageThread() {
  {
    const std::lock_guard guard(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
  exchange_.wake_storage = [] {};
}

void StorageThread::run() {
  pthread_setname_np(pthread_self(), "storage");
  for (;;) {
    const Now began = clock_.now();
    const int work = agent_->do_work(began);
    if (work > 0) exchange_.note_transaction(clock_.now().mono - began.mono);
    if (!sleep_until(work > 0 ? MonoTime::min() : agent_->next_deadline())) return;
  }
}

/// False: it is time to end.
bool StorageThread::sleep_until(MonoTime deadline) {
  std::unique_lock lock(mutex_);
  const auto is_over = [this] { return is_woken_ || is_stopping_; };
  const Duration left = time_left(deadline, clock_.now().mono, idle_wait);
  if (left > Duration::zero()) changed_.wait_for(lock, left, is_over);
  is_woken_ = false;
  return !is_stopping_;
}

}  // namespace outrider::sidecar
