#include "sdk/src/handed_over.hpp"

#include <new>

namespace outrider::sdk {
namespace {

/// libzmq gathers small frames in a buffer of so many bytes before it writes (ZMQ_OUT_BATCH_SIZE).
constexpr std::size_t batch_bytes_max = 8192;

}  // namespace

void HandedOver::sent(std::uint32_t events, std::size_t bytes) {
  try {
    frames_.push_back({events, bytes});
  } catch (const std::bad_alloc&) {
    unknown_.fetch_add(events, std::memory_order_relaxed);
    return;
  }
  // The queue, and the one frame that is being written.
  const std::size_t newer = queued_frames_max_ + 1;
  if (frames_.size() <= newer) return;
  older_bytes_ += frames_[frames_.size() - 1 - newer].bytes;
  while (older_bytes_ - frames_.front().bytes >= batch_bytes_max) {
    older_bytes_ -= frames_.front().bytes;
    events_.fetch_add(frames_.front().events, std::memory_order_relaxed);
    frames_.pop_front();
  }
}

void HandedOver::settle() {
  for (const Frame& frame : frames_) events_.fetch_add(frame.events, std::memory_order_relaxed);
  frames_.clear();
  older_bytes_ = 0;
}

void HandedOver::lose_sight() {
  for (const Frame& frame : frames_) unknown_.fetch_add(frame.events, std::memory_order_relaxed);
  frames_.clear();
  older_bytes_ = 0;
}

}  // namespace outrider::sdk
