#include "sidecar/observe/snapshot_board.hpp"

#include <utility>

namespace outrider::sidecar {

SnapshotBoard::Pointer SnapshotBoard::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

SnapshotBoard::Pointer SnapshotBoard::fresh(Duration patience) {
  std::unique_lock lock(mutex_);
  const std::uint64_t question = asked_.fetch_add(1, std::memory_order_relaxed) + 1;
  wake_loop_();
  if (is_silent_) return latest_;
  if (!published_.wait_for(lock, patience, [&] { return answered_ >= question; })) {
    is_silent_ = true;
  }
  return latest_;
}

void SnapshotBoard::publish(Pointer snapshot) {
  {
    const std::lock_guard lock(mutex_);
    latest_.swap(snapshot);
    answered_ = begun_;
    is_silent_ = false;
  }
  published_.notify_all();
  // The old one ends here, outside of the lock, if nobody reads it.
}

}  // namespace outrider::sidecar
