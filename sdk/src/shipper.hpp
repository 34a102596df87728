// Shipper: the thread that carries events from the buffer to the sidecar, in frames.
//
// Used by Client, one at a time; a forked child abandons the one it inherits and makes its own, and
// with it a new client id. While asleep it costs nothing. The first event wakes it and is sent at
// once; events that arrive within the next frame_delay_ms are gathered. Frames go to the socket
// only while a sidecar is connected, so that during an outage the buffer fills and its drops are
// counted.
//
// It also checks that each event is complete msgpack, because the sidecar would refuse a whole
// frame for one that is not. The check costs as much as packing, so emit does not make it.
//
// Thread: the public functions are safe from any thread; run() and everything that it calls belong
// to the shipper's thread. Owns: the thread (worker.hpp describes its life), the link, the chunks
// it has taken. The buffer and the drops must outlive it; if the thread hangs in libzmq
// (is_finished() stays false), all three must be leaked.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

#include "sdk/src/buffer.hpp"
#include "sdk/src/drops.hpp"
#include "sdk/src/identity.hpp"
#include "sdk/src/link.hpp"
#include "sdk/src/obstacles.hpp"
#include "sdk/src/worker.hpp"

namespace outrider::sdk {

struct ShipperOptions {
  LinkOptions link;
  std::size_t frame_bytes_max = 0;
  long frame_delay_ms = 0;
};

class Shipper {
 public:
  Shipper(const ShipperOptions& options, Buffer& buffer, Drops& drops);

  /// Starts the thread. False: no thread or descriptor left; may be tried again.
  bool start() {
    return worker_.start([this] { run(); });
  }

  /// After an append or a drop. Makes a system call only when the thread sleeps.
  void wake_if_asleep() {
    if (activity_.load() == Activity::asleep) wake_from(Activity::asleep);
  }
  /// When the buffer fills faster than frame_delay_ms allows for.
  void wake_if_gathering() {
    if (activity_.load() == Activity::gathering) wake_from(Activity::gathering);
  }

  /// True: all that was in the buffer before the call is with the operating system, on its way to a
  /// sidecar that was connected. Costs a new connection if anything was sent since the last flush.
  bool flush(SteadyTime deadline);

  /// Calls `attempt` until it returns true, each time that there may be room again.
  template <typename Attempt>
  bool wait_for_room(SteadyTime deadline, const Attempt& attempt) {
    return wait_until(deadline, attempt);
  }

  /// Sends the content of the closed buffer, until the deadline; the rest is dropped and counted.
  /// close_wait() follows.
  void close(SteadyTime deadline);
  /// True: nothing was lost since the last flush that knew its result before the close began.
  bool close_wait();
  bool is_finished() { return worker_.is_finished(); }
  void abandon() { worker_.abandon(); }

  bool is_connected() const { return is_connected_.load(std::memory_order_relaxed); }
  /// The buffer had accepted them before.
  std::uint64_t shipped_events() const { return shipped_events_.load(std::memory_order_acquire); }
  std::uint64_t shipped_frames() const { return shipped_frames_.load(std::memory_order_relaxed); }
  /// Of the shipped events, those that are with the operating system, as of the last hand-over.
  std::uint64_t handed_over_events() const {
    return handed_over_events_.load(std::memory_order_relaxed);
  }
  /// Of the shipped events, those that ZeroMQ may still have held when the time to hand over ended:
  /// whether they arrived is unknown.
  std::uint64_t unknown_events() const { return unknown_events_.load(std::memory_order_relaxed); }
  /// Why events wait, or did at the end; empty: nothing is in the way.
  const char* obstacle() const { return obstacle_.load(std::memory_order_relaxed); }

 private:
  /// The state of the thread, so that emit knows whether to wake it.
  enum class Activity : std::uint8_t { busy, gathering, asleep };
  /// How an attempt to ship ended.
  enum class Progress : std::uint8_t { nothing, shipped, no_room, no_memory };
  /// The combined requests of the callers that wait for a flush.
  struct FlushOrder {
    std::uint64_t target;
    SteadyTime deadline;
  };
  struct FramePlan {
    std::uint32_t events = 0;
    std::size_t bytes = 0;
  };

  void run();
  bool turn();
  void finish();
  FlushOrder flush_order();
  bool hand_over(const FlushOrder& order);
  void count_hand_over(bool is_complete);
  void mind_connection();
  void note_obstacle(Progress progress);
  void report(std::uint64_t flush_done);
  void rest(Progress progress);
  bool has_events() const { return held_events_ > 0 || !buffer_.is_empty(); }

  Progress ship();
  Progress ship_frame();
  void stage(Chunk* chunk);
  FramePlan plan_frame() const;
  bool make_frame();
  void fill_frame(std::uint8_t* out, FramePlan plan);

  void wake_from(Activity activity);
  template <typename Condition>
  bool wait_until(SteadyTime deadline, const Condition& condition) {
    std::unique_lock lock(mutex_);
    watchers_.fetch_add(1);
    const bool is_met = changed_.wait_until(lock, deadline, condition);
    watchers_.fetch_sub(1);
    return is_met;
  }

  const ShipperOptions options_;
  Buffer& buffer_;
  Drops& drops_;

  // Shared with callers.
  std::atomic<Activity> activity_ = Activity::busy;
  std::atomic<bool> is_connected_ = false;
  std::atomic<const char*> obstacle_ = obstacles::none;
  std::atomic<std::uint64_t> shipped_events_ = 0;
  std::atomic<std::uint64_t> shipped_frames_ = 0;
  std::atomic<std::uint64_t> handed_over_events_ = 0;
  std::atomic<std::uint64_t> unknown_events_ = 0;
  std::atomic<int> watchers_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::uint64_t flush_wanted_ = 0;
  std::uint64_t flush_done_ = 0;   ///< written by the thread alone
  std::uint32_t flushers_ = 0;     ///< callers that wait
  SteadyTime flush_deadline_{};    ///< of the most patient of them
  std::uint64_t losses_ = 0;       ///< how often events became unknown
  std::uint64_t losses_told_ = 0;  ///< of these, by a flush
  std::optional<std::uint64_t> losses_told_at_close_;
  bool is_ended_ = false;  ///< nothing is sent any more, and the counters are final
  bool has_lost_ = false;  ///< once it is ended: the answer of the close

  // The thread's own.
  Link link_;
  Identity identity_;
  std::uint64_t sequence_ = 0;
  std::uint64_t held_events_ = 0;  ///< have left the buffer, and the socket has not got them
  std::uint64_t seen_disconnects_ = 0;
  std::uint64_t handed_over_frames_ = 0;        ///< of shipped_frames_
  std::uint64_t reported_drops_ = 0;            ///< as of the last frame sent
  std::uint64_t frame_drops_ = 0;               ///< as the frame at hand says
  std::deque<std::uint32_t> recent_frames_;     ///< events of those that ZeroMQ may still hold
  SteadyTime open_at_{};                        ///< the socket is not to be opened before, ...
  bool is_resting_ = false;                     ///< ... except events: a flush has closed it
  SteadyTime stuck_since_ = SteadyTime::max();  ///< the socket has had no room since
  std::uint32_t frame_events_ = 0;
  bool has_frame_ = false;         ///< made, not yet taken by the socket
  bool has_no_means_ = false;      ///< the last try to open the link failed
  bool has_other_socket_ = false;  ///< listened at the endpoint, the last time that one did
  Chunk* staged_first_ = nullptr;
  Chunk* staged_last_ = nullptr;
  std::size_t staged_bytes_ = 0;

  Worker worker_;
};

}  // namespace outrider::sdk
