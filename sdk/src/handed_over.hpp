// HandedOver: what is known of the events that ZeroMQ has been given.
//
// Used by Shipper. ZeroMQ says nothing of a frame once it has taken it, but it holds a bounded
// number of them: whatever is older than these is with the operating system. When what it holds is
// thrown away, or may have been, nobody can say which of these frames went out: they are unknown.
// Thread: sent(), settle() and lose_sight() belong to the shipper's thread; the counts are for any.
// Limits: one entry for each frame that ZeroMQ may hold, grown as they come.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace outrider::sdk {

class HandedOver {
 public:
  /// How many frames ZeroMQ holds at most, besides those that it is writing.
  explicit HandedOver(std::size_t queued_frames_max) : queued_frames_max_(queued_frames_max) {}

  /// ZeroMQ has taken a frame. Without memory to remember it, its events are unknown at once.
  void sent(std::uint32_t events, std::size_t bytes);
  /// All that was sent is with the operating system.
  void settle();
  /// ZeroMQ no longer has what it held; it may have gone out or not.
  void lose_sight();

  /// Frames of which it is not known yet.
  bool has_frames() const { return !frames_.empty(); }

  std::uint64_t events() const { return events_.load(std::memory_order_relaxed); }
  std::uint64_t unknown_events() const { return unknown_.load(std::memory_order_relaxed); }

 private:
  struct Frame {
    std::uint32_t events;
    std::size_t bytes;
  };

  const std::size_t queued_frames_max_;
  std::deque<Frame> frames_;
  std::size_t older_bytes_ = 0;  ///< of those that have left ZeroMQ's queue
  std::atomic<std::uint64_t> events_ = 0;
  std::atomic<std::uint64_t> unknown_ = 0;
};

}  // namespace outrider::sdk
