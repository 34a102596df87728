// LoopMeter: how much the loop works, and its longest turn of the last minute.
//
// Used by Host, which notes each turn, and by SnapshotTaker, which copies the numbers. A turn ends
// where the sleep begins. Thread: the sidecar's one. Plain state. Limits: six slots of ten seconds;
// the oldest is forgotten whole.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

class LoopMeter {
 public:
  static constexpr Duration slot = std::chrono::seconds(10);
  static constexpr std::size_t slots = 6;

  void note_turn(MonoTime began, MonoTime ended) {
    const Duration busy = ended - began;
    ++turns_;
    busy_ += busy;
    Slot& current = slots_[index_of(ended)];
    if (current.number != number_of(ended)) current = {number_of(ended), {}};
    current.longest = std::max(current.longest, busy);
  }

  LoopSnapshot snapshot(MonoTime now) const {
    Duration longest{};
    for (const Slot& each : slots_) {
      const bool is_recent = each.number > number_of(now) - static_cast<std::int64_t>(slots);
      if (is_recent) longest = std::max(longest, each.longest);
    }
    return {turns_, busy_, longest};
  }

 private:
  struct Slot {
    std::int64_t number = -1;
    Duration longest{};
  };
  static std::int64_t number_of(MonoTime time) { return time.time_since_epoch() / slot; }
  static std::size_t index_of(MonoTime time) {
    return static_cast<std::size_t>(number_of(time)) % slots;
  }

  std::uint64_t turns_ = 0;
  Duration busy_{};
  std::array<Slot, slots> slots_{};
};

}  // namespace outrider::sidecar
