// EventQueue: the events that wait for one destination, bounded in events and in bytes.
//
// Used by Backlog. Events of one priority are in the order of their arrival. Events taken out for
// sending still count against the limits until they are released: the limits bound everything that
// a destination holds in memory. TakenEvents gives the queue those that may still be evicted.
//
// Two orders: by priority, high before normal before low; or by arrival, where the priority only
// decides which events are evicted. An event that is also on disk was promised and is never
// evicted. Each order costs 8 bytes for each change between events that are evicted differently.
//
// Thread: one queue, one thread. Owns: the records' bytes; views are valid until the record is
// taken. Never fails: full is an answer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "proto/event.hpp"
#include "sidecar/base/amount.hpp"
#include "sidecar/queue/arrival_order.hpp"
#include "sidecar/queue/arrival_times.hpp"
#include "sidecar/queue/record_fifo.hpp"

namespace outrider::sidecar {

struct QueueLimits {
  std::uint64_t events_max;
  std::uint64_t bytes_max;  ///< of records, see record.hpp
};

enum class QueueOrder : std::uint8_t { by_priority, by_arrival };

/// Of the events that were taken, those that wait again and may be given up.
class TakenEvents {
 public:
  virtual Amount evictable(proto::Priority priority) const = 0;
  /// Gives up the oldest of that priority, and releases it; there is one.
  virtual void evict(proto::Priority priority) = 0;

 protected:
  ~TakenEvents() = default;
};

class EventQueue {
 public:
  explicit EventQueue(QueueLimits limits, QueueOrder order = QueueOrder::by_priority)
      : limits_(limits), order_(order) {}

  /// True if a record of this size can be pushed without breaking a limit; with `part` of it free
  /// afterwards.
  bool has_room(std::size_t record_bytes, double part = 0) const;

  /// Makes room for a record of this size, with `part` free afterwards. Evicts the oldest events of
  /// the lowest priority, first those of `taken`, which are older, and no more than necessary; none
  /// that were promised, and none of priorities above `up_to`. If that room is missing already, as
  /// much leaves as arrives. Returns how many events it evicted; nothing, and evicts none, if that
  /// would not be enough.
  std::optional<std::uint64_t> evict_for(std::size_t record_bytes, proto::Priority up_to,
                                         double part = 0, TakenEvents* taken = nullptr);

  /// Appends a copy of the record, which came at that time, whether or not it has room.
  void push(proto::ByteView record, proto::Priority priority, MonoTime arrived = {});

  bool is_empty() const { return events() == 0; }
  /// Nothing waits, and nothing is taken.
  bool is_unused() const { return is_empty() && taken_events_ == 0; }
  std::uint64_t events() const;
  std::uint64_t bytes() const;
  /// Counts against the limits: waiting and taken events.
  Amount held() const { return {total_events(), total_bytes()}; }
  const QueueLimits& limits() const { return limits_; }
  /// From here on. Nothing is evicted for smaller ones: there is no room until enough has left.
  void use(QueueLimits limits) { limits_ = limits; }
  /// When the oldest waiting event arrived; `never` if there is none.
  MonoTime oldest() const;

  /// Some of the waiting events were promised.
  bool has_promised() const;
  /// The taken events use as much of the room, in events or bytes.
  bool is_taken(double part) const;

  /// The record whose turn it is; the queue is not empty.
  proto::ByteView front() const;
  /// When it came (arrival_times.hpp).
  MonoTime front_arrived() const { return times_[front_order().front()].front(); }

  /// Appends a record of this many bytes, which the caller writes before it calls anything else
  /// here. `is_promised`: it has an origin on disk.
  std::uint8_t* add(std::size_t record_bytes, proto::Priority priority, bool is_promised,
                    MonoTime arrived = {});

  /// Removes the front and forgets it: it was dropped.
  void pop();

  /// Forgets all that waits, in one step however much it is.
  void clear();

  /// Removes the front, which still counts against the limits until it is released. Returns when it
  /// arrived.
  MonoTime take();

  /// A taken event is settled: delivered, dropped or dead.
  void release(std::uint64_t events, std::uint64_t bytes);

 private:
  static constexpr std::size_t priorities = 3;
  /// For each priority: the events that may be evicted, and the promised ones.
  static constexpr std::size_t fifos = 2 * priorities;
  static constexpr std::size_t fifo_of(std::size_t priority, bool is_promised) {
    return 2 * priority + (is_promised ? 1 : 0);
  }

  QueueLimits limits_with(double part) const;
  std::uint64_t total_events() const { return events() + taken_events_; }
  std::uint64_t total_bytes() const { return bytes() + taken_bytes_; }
  const ArrivalOrder& front_order() const;
  ArrivalOrder& order_of(std::size_t fifo);
  void remove_front(std::size_t fifo);

  QueueLimits limits_;
  QueueOrder order_;
  std::array<RecordFifo, fifos> fifos_;
  std::array<ArrivalTimes, fifos> times_;
  /// By priority: one for each; by arrival: the first is that of all.
  std::array<ArrivalOrder, priorities> orders_;

  std::uint64_t taken_events_ = 0;
  std::uint64_t taken_bytes_ = 0;
};

}  // namespace outrider::sidecar
