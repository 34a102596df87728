// SpoolGate: keeps another thread of the sidecar out of the spool's files while StoreKeeper does
// not have them open: it opens or repairs them then, or puts others in their place. A command in a
// process of its own learns that from the shared memory of SQLite; a thread of this process cannot,
// because both use the same.
//
// Used by StoreKeeper, which opens and shuts it, and by DeadJobs, which goes through it for each
// transaction. Thread: safe from any thread. Limits: shut() waits for whoever is inside, wait_max
// at most: they may hang on the disk.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>

namespace outrider::sidecar {

class SpoolGate {
 public:
  using Pass = std::unique_lock<std::timed_mutex>;
  static constexpr std::chrono::seconds wait_max{5};

  void open() { set(true); }
  void shut() { set(false); }

  /// As long as it lives, the keeper has the files open. One that owns nothing: it has not.
  Pass enter() {
    Pass pass(mutex_);
    if (!is_open_) pass.unlock();
    return pass;
  }

 private:
  void set(bool is_open) {
    const Pass pass(mutex_, wait_max);
    is_open_ = is_open;
  }

  std::timed_mutex mutex_;
  std::atomic<bool> is_open_ = false;
};

}  // namespace outrider::sidecar
