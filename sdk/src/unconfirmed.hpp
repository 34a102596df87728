// Unconfirmed: the events that deliver took and that have not ended, with their memory, their
// counts and their confirm functions.
//
// Used by Courier and SendWindow. Thread: the first group of functions is for any thread, the
// second for the courier's alone. Owns: the events that wait for a frame. Fails with:
// outrider_status; OUTRIDER_FULL beyond bytes_max, never by blocking. Limits: bytes_max of events
// and their records. Events for full destinations may use half of it, whatever their topics; while
// any such event waits, the others may use an eighth more.
//
// The path of an event: take() -> waits here -> take_first() -> a frame of the SendWindow, sent as
// often as necessary -> settle(). After a temporary refusal it stays with the SendWindow.
//
// Invariants whenever mutex_ is free:
// - taken = confirmed + refused + expired + unconfirmed.
// - held_bytes_ is the cost of every event that has not ended, here and in the SendWindow.
// - Batches wait in the order of first_event; only the courier's thread takes them out.
// - After close() nothing is added: once nothing waits, nothing ever will.
// Confirm functions are called without the lock, because they may deliver. An event counts as
// answered (answered_in_order_) only after its confirm function has returned: flush waits for that.
//
// A fork does not need the lock: the child touches nothing of this object (worker.hpp).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "outrider/outrider.h"
#include "proto/bytes.hpp"
#include "proto/confirm.hpp"
#include "sdk/src/batch.hpp"
#include "sdk/src/stuck_topics.hpp"
#include "sdk/src/worker.hpp"

namespace outrider::sdk {

struct DeliveryCounts {
  std::uint64_t taken_events = 0;
  std::uint64_t confirmed_events = 0;
  std::uint64_t refused_events = 0;  ///< permanently, by the sidecar
  std::uint64_t expired_events = 0;  ///< unconfirmed when the time to close was up
  std::uint64_t unconfirmed_events = 0;
  std::uint64_t unanswered_events = 0;  ///< of these two: sent; the others are not with the sidecar
  std::uint64_t unconfirmed_bytes = 0;
};

class Unconfirmed {
 public:
  static constexpr std::size_t reserve_share = 8;

  Unconfirmed(std::size_t bytes_max, std::size_t frame_bytes_max);

  // For any thread.

  /// Takes a copy of an event, given in pieces. OUTRIDER_OK: the confirm function is called once,
  /// with the outcome of the event; if `is_awaited`, the thread sleeps, and the caller wakes it.
  /// Any other status: the event was not taken, and the function is never called.
  outrider_status take(std::span<const proto::ByteView> pieces, Delivery delivery,
                       bool& is_awaited);
  /// True: all that was taken before the call is answered. False: not in time.
  bool wait_answered(SteadyTime deadline);
  /// Waits until expire() has ended the last event.
  void wait_settled();
  void close();
  DeliveryCounts counts();

  // For the courier's thread.

  /// Whether the thread may go to sleep. With `wants_events` it may only if none wait, and the next
  /// one that is taken wakes it.
  bool may_sleep(bool wants_events);
  bool has_waiting();
  /// The events that have waited longest; there are some.
  Batch take_first();

  /// The sidecar has announced its limits: larger events are not taken, and batches grow no larger.
  void set_limits(const proto::SaidLimits& said);
  /// Another sidecar may be next, and take events that this one refused.
  void forget_sidecar();

  /// Events that wait for a full destination, and the known full destinations.
  void add_stuck(const Batch& batch, std::vector<proto::TopicSet> full);
  /// Whether the sidecar may have a batch, as far as is known here.
  void count_as(bool may_be_taken, Batch& batch);
  /// Ends the events of a batch with `status`, those in `refused` with their refusals, and calls
  /// their confirm functions. Temporarily refused events do not end: `kept_bytes` is their cost
  /// from now on.
  void settle(Batch batch, outrider_status status, std::span<const proto::RefusedEvent> refused,
              std::size_t kept_bytes);
  /// All events that the SendWindow has came with or after this one; UINT64_MAX: it has none.
  void note_answered(std::uint64_t first_unanswered);
  /// The time to close is over, and the SendWindow has settled its events.
  void expire();

 private:
  bool has_room(std::size_t bytes, std::string_view topic) const;

  const std::size_t bytes_max_;
  const std::size_t frame_bytes_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::deque<Batch> waiting_;
  std::size_t held_bytes_ = 0;
  std::size_t batch_bytes_max_;         ///< by the last announced limits
  std::uint64_t event_bytes_said_ = 0;  ///< by the sidecar that is connected; 0: not
  StuckTopics stuck_topics_;
  DeliveryCounts counts_;                ///< without unconfirmed events and bytes
  std::uint64_t answered_in_order_ = 0;  ///< of the events taken, all up to this one are answered
  bool is_awaited_ = false;              ///< the thread sleeps until an event is taken
  bool is_closed_ = false;
  bool is_settled_ = false;  ///< every event has ended
};

}  // namespace outrider::sdk
