// SnapshotReader: the snapshot that a request is answered from, and for how long the loop has been
// silent.
//
// A snapshot that is younger than `reuse_max` is used again, so that no client makes the loop take
// more than a few a second. Otherwise a request waits for a new one, `patience` at most; while the
// loop is silent only the first does. Silence begins with the first question that was not answered:
// an old snapshot alone means only that nobody asked.
//
// Used by Routes. Thread: the admin server's. Borrows: the board and the clock.
#pragma once

#include <optional>

#include "sidecar/base/clock.hpp"
#include "sidecar/observe/snapshot_board.hpp"

namespace outrider::sidecar {

class SnapshotReader {
 public:
  static constexpr Duration patience = std::chrono::milliseconds(50);
  static constexpr Duration reuse_max = std::chrono::milliseconds(100);

  struct View {
    SnapshotBoard::Pointer snapshot;  ///< null before the first
    Duration age{};
    Duration silence{};  ///< of the loop; 0: it answers
  };

  SnapshotReader(SnapshotBoard& board, const Clock& clock) : board_(board), clock_(clock) {}

  View read();

  /// The next one is to show what happens from now on.
  void expect_change() { newer_than_ = clock_.now().mono; }
  bool is_loop_silent() const { return silent_since_.has_value(); }

 private:
  bool is_young(const SnapshotBoard::Pointer& snapshot, MonoTime now) const {
    return snapshot != nullptr && now - snapshot->taken_at < reuse_max &&
           snapshot->taken_at > newer_than_;
  }

  SnapshotBoard& board_;
  const Clock& clock_;
  MonoTime newer_than_{};
  std::optional<MonoTime> silent_since_;
};

}  // namespace outrider::sidecar
