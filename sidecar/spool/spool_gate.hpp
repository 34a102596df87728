// SpoolGate: keeps another thread of the sidecar out of the spool's files while StoreKeeper does
// not have them open: it opens or repairs them then, or puts others in their place. A command in a
// process of its own learns that from the shared memory of SQLite; a thread of this process cannot,
// because both use the same.
//
// Used by StoreKeeper, which opens and shuts it, and by DeadJobs, which enters it for each
// transaction. Thread: safe from any thread. Limits: shut() waits for whoever is inside, wait_max
// at most: they may hang on the disk.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace outrider::sidecar {

class SpoolGate {
 public:
  static constexpr std::chrono::seconds wait_max{5};

  /// Whoever has one is inside as long as it lives.
  class Pass {
   public:
    explicit Pass(SpoolGate* gate) : gate_(gate) {}
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    struct Leave {
      void operator()(SpoolGate* gate) const { gate->leave(); }
    };
    std::unique_ptr<SpoolGate, Leave> gate_;
  };

  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
  }
  void shut() {
    std::unique_lock lock(mutex_);
    is_open_ = false;
    has_left_.wait_for(lock, wait_max, [this] { return inside_ == 0; });
  }

  /// Without waiting. Empty: the keeper does not have the files open.
  Pass enter() {
    const std::lock_guard lock(mutex_);
    if (!is_open_) return Pass(nullptr);
    ++inside_;
    return Pass(this);
  }

 private:
  void leave() {
    const std::lock_guard lock(mutex_);
    --inside_;
    has_left_.notify_all();
  }

  std::mutex mutex_;  ///< guards all below
  std::condition_variable has_left_;
  bool is_open_ = false;
  int inside_ = 0;
};

}  // namespace outrider::sidecar
