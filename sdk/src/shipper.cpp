#include "sdk/src/shipper.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "proto/frame_writer.hpp"
#include "proto/msgpack_reader.hpp"

namespace outrider::sdk {
namespace {

using std::chrono::steady_clock;

constexpr long retry_ms = 1000;
constexpr long no_memory_ms = 100;
/// A sidecar that is connected but takes nothing for so long costs what ZeroMQ holds at a flush.
constexpr long hand_over_ms = 5000;
/// A sidecar that takes nothing for so long, though there is something, does not count as there.
constexpr std::chrono::seconds stuck_max{5};
/// Frames that libzmq gathers into one write of 8 KiB, beyond those in its queue.
constexpr std::size_t encoded_frames_max = 128;

/// What the sidecar would accept: one event that is not would cost its whole frame. Its attributes
/// are not looked at: they were written here, and data must not reach into them.
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

Shipper::~Shipper() {
  if (thread_.joinable()) thread_.join();
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

bool Shipper::start() {
  if (wake_fd_ < 0) wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) return false;
  thread_ = start_worker([this] { run(); });
  return thread_.joinable();
}

bool Shipper::flush(SteadyTime deadline) {
  std::uint64_t target;
  std::uint64_t losses_told;
  {
    const std::lock_guard guard(mutex_);
    if (is_finished_) return !has_lost_;
    target = ++flush_wanted_;
    losses_told = losses_told_;
    ++flushers_;
    flush_deadline_ = std::max(flush_deadline_, deadline);
  }
  wake();
  wait_until(deadline, [&] { return flush_done_ >= target || is_finished_; });
  const std::lock_guard guard(mutex_);
  if (--flushers_ == 0) flush_deadline_ = {};
  const bool is_done = flush_done_ >= target || (is_finished_ && !has_lost_);
  // A loss is told to all who wait when it happens, or else to whoever asks next.
  losses_told_ = losses_;
  return is_done && losses_ == losses_told;
}

void Shipper::close(SteadyTime deadline) {
  {
    const std::lock_guard guard(mutex_);
    if (!is_closing_) deadline_ = deadline;
    is_closing_ = true;
  }
  wake();
}

bool Shipper::close_wait() {
  const bool is_finished =
      wait_until(read_orders().deadline + close_margin, [&] { return is_finished_; });
  const std::lock_guard guard(mutex_);
  return is_finished && !has_lost_;
}

bool Shipper::is_finished() {
  const std::lock_guard guard(mutex_);
  return is_finished_;
}

void Shipper::abandon(Shipper* shipper) {
  // Kept where leak checkers find it.
  static Shipper* first_abandoned = nullptr;
  shipper->next_abandoned_ = first_abandoned;
  first_abandoned = shipper;
}

void Shipper::wake_from(Activity activity) {
  if (activity_.compare_exchange_strong(activity, Activity::busy)) wake();
}

void Shipper::wake() {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is awake.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

void Shipper::run() {
  if (getrandom(client_id_.data(), client_id_.size(), 0) < 0) client_id_ = {};
  pid_ = static_cast<std::uint64_t>(getpid());
  try {
    host_ = host_name();
  } catch (...) {
  }
  while (turn()) {
  }
  finish();
}

bool Shipper::turn() {
  const Orders orders = read_orders();
  Progress progress = Progress::nothing;
  bool is_flushed = false;
  try {
    mind_connection();
    if (link_.is_connected()) {
      progress = ship();
      const bool is_done = progress == Progress::nothing || progress == Progress::shipped;
      is_flushed = is_done && hand_over(orders);
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
  report(is_flushed ? orders.flush_target : 0);
  if (orders.is_closing) {
    const bool is_empty = held_events_.load(std::memory_order_relaxed) == 0 && buffer_.is_empty();
    if (is_empty || left_ms(orders.deadline) == 0) return false;
  }
  rest(progress, orders);
  return true;
}

void Shipper::note_obstacle(Progress progress) {
  const auto obstacle = [&] {
    if (has_no_means_ || progress == Progress::no_memory) return obstacles::no_means;
    if (has_other_socket_) return obstacles::other_socket;
    if (!link_.is_connected()) return obstacles::not_connected;
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
  if (!link_.is_open() && steady_clock::now() >= open_at_) has_no_means_ = !link_.open();
  // A connection that had no room takes with it what it was writing.
  const bool has_broken = link_.disconnects() != seen_disconnects_;
  seen_disconnects_ = link_.disconnects();
  if (has_broken && has_frame_) count_hand_over(false);
  const bool is_stuck =
      stuck_since_ != SteadyTime::max() && steady_clock::now() - stuck_since_ >= stuck_max;
  is_connected_.store(link_.is_connected() && !is_stuck, std::memory_order_relaxed);
}

Shipper::Orders Shipper::read_orders() {
  const std::lock_guard guard(mutex_);
  return {flush_wanted_, flush_deadline_, is_closing_, deadline_};
}

bool Shipper::hand_over(const Orders& orders) {
  if (orders.flush_target <= flush_done_) return false;
  if (shipped_frames() == handed_over_frames_) return true;
  // Not cut short by an impatient caller: that would lose what is just about to go out. But by the
  // end of a close, which nothing outlives.
  const long timeout_ms = std::max(left_ms(orders.flush_deadline), hand_over_ms);
  const bool is_handed_over = link_.hand_over(static_cast<int>(timeout_ms), [&] {
    const Orders now = read_orders();
    return now.is_closing && left_ms(now.deadline) == 0;
  });
  count_hand_over(is_handed_over);
  link_.open();
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

void Shipper::rest(Progress progress, const Orders& orders) {
  const bool is_connected = link_.is_connected();
  long timeout_ms = -1;
  if (!link_.is_open()) {
    timeout_ms = open_at_ > steady_clock::now() ? left_ms(open_at_) : retry_ms;
  } else if (progress == Progress::no_memory) {
    timeout_ms = no_memory_ms;
  } else if (is_connected && progress == Progress::shipped) {
    timeout_ms = options_.frame_delay_ms;
    activity_.store(Activity::gathering);
  } else if (is_connected && progress == Progress::nothing) {
    // First asleep, then a last look: whoever appends after the look sees that a wake is due.
    activity_.store(Activity::asleep);
    if (!buffer_.is_empty() || drops_.total() != reported_drops_) timeout_ms = 0;
    buffer_.trim();
  }
  if (orders.is_closing) {
    const long closing_ms = left_ms(orders.deadline);
    timeout_ms = timeout_ms < 0 ? closing_ms : std::min(timeout_ms, closing_ms);
  }
  if (progress == Progress::no_room && timeout_ms < 0) timeout_ms = retry_ms;
  link_.wait(wake_fd_, progress == Progress::no_room, timeout_ms);
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
  held_events_.fetch_sub(frame_events_, std::memory_order_relaxed);
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
  held_events_.fetch_add(chunk->event_count, std::memory_order_relaxed);
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
  proto::FrameHeaderFields fields;
  fields.client_id = client_id_;
  fields.sequence = sequence_ + 1;
  fields.host = host_;
  fields.pid = pid_;
  fields.library = library;
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
  const std::uint64_t left_events = held_events_.load(std::memory_order_relaxed) + buffer_.clear();
  held_events_.store(0, std::memory_order_relaxed);
  while (Chunk* chunk = staged_first_) {
    staged_first_ = chunk->next;
    buffer_.give_back(chunk);
  }
  drops_.count_accepted(OUTRIDER_DROPPED_LINGER, left_events);
  const SteadyTime deadline = read_orders().deadline;
  link_.close(static_cast<int>(left_ms(deadline)));
  is_connected_.store(false, std::memory_order_relaxed);
  // libzmq says nothing of what it could not send, but then it has used up the time.
  const bool was_in_time = steady_clock::now() < deadline;
  if (shipped_frames() != handed_over_frames_) count_hand_over(was_in_time);

  const std::lock_guard guard(mutex_);
  has_lost_ = left_events > 0 || losses_ > losses_told_;
  is_finished_ = true;
  changed_.notify_all();
}

}  // namespace outrider::sdk
