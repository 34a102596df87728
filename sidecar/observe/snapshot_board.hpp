// SnapshotBoard: where the loop leaves its newest Snapshot for other threads.
//
// Used by App, which publishes, and by the admin server, which asks and reads. Nothing is taken
// while nobody asks: an idle sidecar has no wake-up for it.
//
// Thread: safe from any thread. The loop never waits here: it holds the lock for two pointer
// assignments. Owns: the newest snapshot, together with those who still read it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "sidecar/base/clock.hpp"
#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

class SnapshotBoard {
 public:
  using Pointer = std::shared_ptr<const Snapshot>;

  /// `wake_loop`: ends the loop's sleep; called by whoever asks.
  explicit SnapshotBoard(std::function<void()> wake_loop) : wake_loop_(std::move(wake_loop)) {}

  // For readers -----------------------------------------------------------------------------------

  /// The newest; null before the first.
  Pointer latest() const;

  /// One that was begun after this call, or after `patience` the newest that there is; null if
  /// there is none. While the loop is silent only the first caller waits: once a wait was in vain,
  /// others return at once until the loop publishes again.
  Pointer fresh(Duration patience);

  // For the loop ----------------------------------------------------------------------------------

  /// Somebody waits for a snapshot that has not been begun.
  bool is_asked() const { return asked_.load(std::memory_order_relaxed) > begun_; }
  /// The loop begins to take one; answers all who have asked so far.
  void begin() { begun_ = asked_.load(std::memory_order_relaxed); }
  void publish(Pointer snapshot);

 private:
  std::function<void()> wake_loop_;
  std::atomic<std::uint64_t> asked_ = 0;
  std::uint64_t begun_ = 0;  ///< the loop's

  mutable std::mutex mutex_;
  std::condition_variable published_;
  Pointer latest_;
  std::uint64_t answered_ = 0;  ///< the number of the last question that latest_ answers
  bool is_silent_ = false;
};

}  // namespace outrider::sidecar
