// EventQueue: the events that wait for one destination, bounded in events and in bytes.
//
// Used by Backlog. Events of one priority are in the order of their arrival. What has been taken
// out for sending still counts against the limits until it is released: the limits bound all that
// a destination holds in memory.
//
// Two orders: by priority, high before normal before low; or by arrival, where the priority only
// decides what is given up. Order by arrival costs 8 bytes for each change of priority between an
// event and the next.
//
// Thread: one queue, one thread. Owns: the records' bytes; views are valid until the record is
// taken. Never fails: full is an answer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "proto/event.hpp"
#include "sidecar/queue/record_fifo.hpp"

namespace outrider::sidecar {

struct QueueLimits {
  std::uint64_t events_max;
  std::uint64_t bytes_max;  ///< of records, see record.hpp
};

enum class QueueOrder : std::uint8_t { by_priority, by_arrival };

class EventQueue {
 public:
  explicit EventQueue(QueueLimits limits, QueueOrder order = QueueOrder::by_priority)
      : limits_(limits), order_(order) {}

  /// True if a record of this size can be pushed without breaking a limit; with `part` of it free
  /// afterwards.
  bool has_room(std::size_t record_bytes, double part = 0) const;

  /// True if it would have room once everything that waits with at most this priority was evicted.
  bool could_fit(std::size_t record_bytes, proto::Priority up_to) const;

  /// Removes the oldest record of the lowest priority that waits. False if that is more than
  /// `up_to`, or nothing waits, or that record is on disk as well and so was promised.
  bool evict(proto::Priority up_to);

  /// Appends a copy of the record, whether or not it has room.
  void push(proto::ByteView record, proto::Priority priority);

  bool is_empty() const { return events() == 0; }
  /// Nothing waits, and nothing is taken.
  bool is_unused() const { return is_empty() && taken_events_ == 0; }
  std::uint64_t events() const;
  std::uint64_t bytes() const;

  /// The record whose turn it is; the queue is not empty.
  proto::ByteView front() const;

  /// Appends a record of so many bytes, which the caller writes before it does anything else here.
  std::uint8_t* add(std::size_t record_bytes, proto::Priority priority);

  /// Removes the front and forgets it: it was dropped.
  void pop();

  /// Removes the front, which goes on counting against the limits until released.
  void take();

  /// What was taken is settled: delivered, dropped or dead.
  void release(std::uint64_t events, std::uint64_t bytes);

 private:
  /// So many events in a row came with the same priority and are still here.
  struct Run {
    std::uint32_t events;
    std::uint32_t fifo;
  };
  static constexpr std::size_t priorities = 3;

  std::size_t front_fifo() const;
  void note_arrival(std::size_t fifo);
  void note_removal(std::size_t fifo);

  QueueLimits limits_;
  QueueOrder order_;
  std::array<RecordFifo, priorities> fifos_;  ///< by priority
  // By arrival, if that is the order.
  std::deque<Run> runs_;  ///< the first is not used up
  std::uint64_t runs_popped_ = 0;
  /// Number of the run, counted from the very first, before which the fifo has none left.
  std::array<std::uint64_t, priorities> first_run_{};

  std::uint64_t taken_events_ = 0;
  std::uint64_t taken_bytes_ = 0;
};

}  // namespace outrider::sidecar
