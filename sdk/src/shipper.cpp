#include "sdk/src/shipper.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "proto/frame_writer.hpp"
#include "proto/msgpack_reader.hpp"

namespace outrider::sdk {
namespace {

using std::chrono::steady_clock;

constexpr long retry_ms = 1000;
constexpr long no_memory_ms = 100;
/// If a connected sidecar takes nothing for this long during a flush, the frames that ZeroMQ holds
/// are lost.
constexpr long hand_over_ms = 5000;
/// After a flush, unless there are events before.
constexpr std::chrono::milliseconds flush_rest{100};
/// A sidecar that takes nothing for this long, although frames wait, does not count as connected.
constexpr std::chrono::seconds stuck_max{5};
/// Frames that libzmq gathers into one write of 8 KiB, beyond those in its queue.
constexpr std::size_t encoded_frames_max = 128;

/// Whether the sidecar would accept the event: a bad one would cost its whole frame. Its attributes
/// are not checked: they were written here, and data must not reach into them.
bool is_whole_event(proto::ByteView event_without_attributes) {
  constexpr int topic_time_data = 3;
  proto::MsgpackReader reader(event_without_attributes);
  proto::Token head;
  if (reader.next(head) != proto::ReadStatus::ok) return false;
  for (int left = topic_time_data; left > 0; --left) {
    if (reader.skip_value() != proto::ReadStatus::ok) return false;
  }
  return reader.at_end();
}

}  // namespace

Shipper::Shipper(const ShipperOptions& options, Buffer& buffer, Drops& drops)
    : options_(options), buffer_(buffer), drops_(drops), link_(options.link) {}

bool Shipper::flush(SteadyTime deadline) {
  std::uint64_t target;
  std::uint64_t losses_told;
  {
    const std::lock_guard guard(mutex_);
    if (is_ended_) return !has_lost_;
    target = ++flush_wanted_;
    losses_told = losses_told_;
    ++flushers_;
    flush_deadline_ = std::max(flush_deadline_, deadline);
  }
  worker_.wake();
  wait_until(deadline, [&] { return flush_done_ >= target || is_ended_; });
  const std::lock_guard guard(mutex_);
  if (--flushers_ == 0) flush_deadline_ = {};
  const bool is_done = flush_done_ >= target || (is_ended_ && !has_lost_);
  // A loss is reported to all waiting callers when it happens, or otherwise to the next one.
  losses_told_ = losses_;
  return is_done && losses_ == losses_told;
}

void Shipper::close(SteadyTime deadline) {
  {
    const std::lock_guard guard(mutex_);
    // From here on it waits, and gets each loss, even if another caller gets it too.
    if (!losses_told_at_close_) losses_told_at_close_ = losses_told_;
  }
  worker_.close(deadline);
}

bool Shipper::close_wait() {
  const bool is_finished = worker_.close_wait();
  const std::lock_guard guard(mutex_);
  return is_finished && !has_lost_;
}

void Shipper::wake_from(Activity activity) {
  if (activity_.compare_exchange_strong(activity, Activity::busy)) worker_.wake();
}

void Shipper::run() {
  // Emitted events go even without random bytes: nothing is answered to the client id.
  static_cast<void>(identity_.make());
  while (turn()) {
  }
  finish();
}

bool Shipper::turn() {
  // Before the look at the buffer, which was closed first: if it is empty then, it stays so.
  const bool is_closing = worker_.is_closing();
  const FlushOrder flush = flush_order();
  Progress progress = Progress::nothing;
  bool is_flushed = false;
  try {
    mind_connection();
    if (link_.is_connected()) {
      progress = ship();
      const bool is_done = progress == Progress::nothing || progress == Progress::shipped;
      is_flushed = is_done && hand_over(flush);
    } else if (is_resting_ && !has_events()) {
      is_flushed = true;
    }
    if (progress != Progress::no_room) {
      stuck_since_ = SteadyTime::max();
    } else if (stuck_since_ == SteadyTime::max()) {
      stuck_since_ = steady_clock::now();
    }
  } catch (...) {
    progress = Progress::no_memory;
  }
  note_obstacle(progress);
  report(is_flushed ? flush.target : 0);
  if (is_closing) {
    if (!has_events() || worker_.is_over()) return false;
  }
  rest(progress);
  return true;
}

void Shipper::note_obstacle(Progress progress) {
  const auto obstacle = [&] {
    if (has_no_means_ || progress == Progress::no_memory) return obstacles::no_means;
    if (has_other_socket_) return obstacles::other_socket;
    if (!link_.is_connected() && !is_resting_) return obstacles::not_connected;
    return progress == Progress::no_room ? obstacles::takes_no_more : obstacles::none;
  };
  obstacle_.store(obstacle(), std::memory_order_relaxed);
}

void Shipper::mind_connection() {
  if (link_.is_connected()) has_other_socket_ = false;
  if (link_.is_given_up()) {
    has_other_socket_ = true;
    count_hand_over(false);
    link_.discard();
    open_at_ = steady_clock::now() + std::chrono::milliseconds(options_.link.reconnect_max_ms);
  }
  if (!link_.is_open() && (steady_clock::now() >= open_at_ || (is_resting_ && has_events()))) {
    is_resting_ = false;
    has_no_means_ = !link_.open();
  }
  // A connection without room takes the frame that it was writing with it.
  const bool has_broken = link_.disconnects() != seen_disconnects_;
  seen_disconnects_ = link_.disconnects();
  if (has_broken && has_frame_) count_hand_over(false);
  const bool is_stuck =
      stuck_since_ != SteadyTime::max() && steady_clock::now() - stuck_since_ >= stuck_max;
  const bool is_connected = link_.is_connected() || is_resting_;
  is_connected_.store(is_connected && !is_stuck, std::memory_order_relaxed);
}

Shipper::FlushOrder Shipper::flush_order() {
  const std::lock_guard guard(mutex_);
  return {flush_wanted_, flush_deadline_};
}

bool Shipper::hand_over(const FlushOrder& order) {
  if (order.target <= flush_done_) return false;
  if (shipped_frames() == handed_over_frames_) return true;
  // An impatient caller does not cut it short: that would lose frames that are about to be sent.
  // Only the end of a close does, which nothing outlives.
  const long timeout_ms = std::max(left_ms(order.deadline), hand_over_ms);
  const bool is_handed_over =
      link_.hand_over(static_cast<int>(timeout_ms), [&] { return worker_.is_over(); });
  count_hand_over(is_handed_over);
  // The process may end right after a flush. A connection that ends before its handshake is
  // complete looks like a socket of the wrong type, and the sidecar warns of those.
  is_resting_ = is_handed_over;
  if (is_resting_) {
    open_at_ = steady_clock::now() + flush_rest;
  } else {
    link_.open();
  }
  return is_handed_over;
}

void Shipper::count_hand_over(bool is_complete) {
  std::uint64_t unknown = unknown_events();
  if (!is_complete) {
    for (const std::uint32_t events : recent_frames_) unknown += events;
    const std::lock_guard guard(mutex_);
    if (unknown > unknown_events()) ++losses_;
  }
  recent_frames_.clear();
  handed_over_frames_ = shipped_frames();
  unknown_events_.store(unknown, std::memory_order_relaxed);
  handed_over_events_.store(shipped_events() - unknown, std::memory_order_relaxed);
}

void Shipper::report(std::uint64_t flush_done) {
  if (watchers_.load() == 0 && flush_done <= flush_done_) return;
  const std::lock_guard guard(mutex_);
  flush_done_ = std::max(flush_done_, flush_done);
  changed_.notify_all();
}

void Shipper::rest(Progress progress) {
  const bool is_connected = link_.is_connected();
  long timeout_ms = -1;
  if (!link_.is_open()) {
    timeout_ms = open_at_ > steady_clock::now() ? left_ms(open_at_) : retry_ms;
    if (is_resting_) {
      activity_.store(Activity::asleep);
      if (has_events()) timeout_ms = 0;
    }
  } else if (progress == Progress::no_memory) {
    timeout_ms = no_memory_ms;
  } else if (is_connected && progress == Progress::shipped) {
    timeout_ms = options_.frame_delay_ms;
    activity_.store(Activity::gathering);
  } else if (is_connected && progress == Progress::nothing) {
    // First mark as asleep, then check once more: a thread that appends after the check sees that
    // it must wake.
    activity_.store(Activity::asleep);
    if (!buffer_.is_empty() || drops_.total() != reported_drops_) timeout_ms = 0;
    buffer_.trim();
  }
  timeout_ms = worker_.sleep_ms(timeout_ms);
  if (progress == Progress::no_room && timeout_ms < 0) timeout_ms = retry_ms;
  link_.wait(worker_.wake_fd(), progress == Progress::no_room, timeout_ms);
  activity_.store(Activity::busy);
}

Shipper::Progress Shipper::ship() {
  Progress result = Progress::nothing;
  const auto ship_one = [&] {
    const Progress progress = ship_frame();
    result = progress;
    return progress == Progress::shipped;
  };
  if (has_frame_ && !ship_one()) return result;
  for (std::size_t shard = 0; shard < Buffer::shards_max; ++shard) {
    // As many as are there now: a thread that emits without pause must not keep this turn going.
    for (std::size_t left = buffer_.chunk_count(shard); left > 0; --left) {
      Chunk* chunk = buffer_.take(shard);
      if (chunk == nullptr) break;
      stage(chunk);
      while (staged_bytes_ >= options_.frame_bytes_max) {
        if (!ship_one()) return result;
      }
    }
  }
  while (staged_bytes_ > 0) {
    if (!ship_one()) return result;
  }
  // Drops are reported even when no event comes after them.
  if (drops_.total() != reported_drops_) ship_one();
  return result;
}

Shipper::Progress Shipper::ship_frame() {
  if (!has_frame_ && !make_frame()) return Progress::no_memory;
  if (!link_.send()) return Progress::no_room;
  reported_drops_ = frame_drops_;
  has_frame_ = false;
  recent_frames_.push_back(frame_events_);
  const auto queued_frames_max = static_cast<std::size_t>(options_.link.send_frames_max);
  if (recent_frames_.size() > queued_frames_max + encoded_frames_max) recent_frames_.pop_front();
  shipped_frames_.fetch_add(1, std::memory_order_relaxed);
  shipped_events_.fetch_add(frame_events_, std::memory_order_release);
  held_events_ -= frame_events_;
  return Progress::shipped;
}

void Shipper::stage(Chunk* chunk) {
  const std::uint32_t bad_events = chunk->remove_unless(is_whole_event);
  if (bad_events > 0) {
    drops_.count_accepted(OUTRIDER_DROPPED_EVENT_DATA, bad_events);
    if (chunk->event_count == 0) return buffer_.give_back(chunk);
  }
  (staged_last_ == nullptr ? staged_first_ : staged_last_->next) = chunk;
  staged_last_ = chunk;
  staged_bytes_ += chunk->used;
  held_events_ += chunk->event_count;
}

Shipper::FramePlan Shipper::plan_frame() const {
  const std::size_t bytes_max = options_.frame_bytes_max - frame_head_bytes_max;
  FramePlan plan;
  for (Chunk* chunk = staged_first_; chunk != nullptr; chunk = chunk->next) {
    const std::size_t chunk_bytes = chunk->used - chunk->taken;
    if (plan.bytes + chunk_bytes <= bytes_max) {
      plan.bytes += chunk_bytes;
      plan.events += chunk->event_count - chunk->taken_count;
      continue;
    }
    for (std::uint32_t i = chunk->taken_count; i < chunk->event_count; ++i) {
      const std::uint32_t bytes = chunk->event_bytes(i);
      if (plan.bytes + bytes > bytes_max && plan.events > 0) return plan;
      plan.bytes += bytes;
      ++plan.events;
    }
  }
  return plan;
}

bool Shipper::make_frame() {
  const FramePlan plan = plan_frame();
  const auto drops = drops_.by_name();
  proto::FrameHeaderFields fields = identity_.header(sequence_ + 1);
  fields.drops = &drops;
  const std::string head = proto::frame_head(fields, plan.events);
  std::uint8_t* out = link_.make_frame(head.size() + plan.bytes);
  if (out == nullptr) return false;
  fill_frame(std::copy(head.begin(), head.end(), out), plan);
  ++sequence_;
  frame_events_ = plan.events;
  frame_drops_ = 0;
  for (const auto& [reason, events] : drops) frame_drops_ += events;
  has_frame_ = true;
  return true;
}

void Shipper::fill_frame(std::uint8_t* out, FramePlan plan) {
  staged_bytes_ -= plan.bytes;
  while (plan.events > 0 && staged_first_ != nullptr) {
    Chunk* chunk = staged_first_;
    std::uint32_t bytes = chunk->used - chunk->taken;
    std::uint32_t events = chunk->event_count - chunk->taken_count;
    if (events > plan.events) {
      events = plan.events;
      bytes = static_cast<std::uint32_t>(plan.bytes);
    }
    std::memcpy(out, chunk->storage() + chunk->taken, bytes);
    out += bytes;
    plan.bytes -= bytes;
    plan.events -= events;
    chunk->taken += bytes;
    chunk->taken_count += events;
    if (chunk->taken_count < chunk->event_count) return;
    staged_first_ = chunk->next;
    if (staged_first_ == nullptr) staged_last_ = nullptr;
    buffer_.give_back(chunk);
  }
}

void Shipper::finish() {
  const std::uint64_t left_events = held_events_ + buffer_.clear();
  held_events_ = 0;
  while (Chunk* chunk = staged_first_) {
    staged_first_ = chunk->next;
    buffer_.give_back(chunk);
  }
  drops_.count_accepted(OUTRIDER_DROPPED_LINGER, left_events);
  const SteadyTime deadline = worker_.deadline();
  link_.close(static_cast<int>(left_ms(deadline)));
  is_connected_.store(false, std::memory_order_relaxed);
  // libzmq does not report frames that it could not send, but then it has used up the time.
  const bool was_in_time = steady_clock::now() < deadline;
  if (shipped_frames() != handed_over_frames_) count_hand_over(was_in_time);

  const std::lock_guard guard(mutex_);
  has_lost_ = left_events > 0 || losses_ > losses_told_at_close_.value_or(losses_told_);
  is_ended_ = true;
  changed_.notify_all();
}

}  // namespace outrider::sdk
