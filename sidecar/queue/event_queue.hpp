// EventQueue: the events that wait for one destination, bounded in events and in bytes.
//
// Used by Destination. Records lie one behind the other in chunks, so that an event costs its
// record and nothing else. What has been taken out for sending still counts against the limits
// until it is released: the limits bound all that a destination holds in memory.
//
// Thread: one queue, one thread. Owns: the records' bytes; views are valid until the record is
// taken. Never fails: full is an answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "proto/bytes.hpp"

namespace outrider::sidecar {

struct QueueLimits {
  std::uint64_t events_max;
  std::uint64_t bytes_max;  ///< of records, see record.hpp
};

class EventQueue {
 public:
  explicit EventQueue(QueueLimits limits) : limits_(limits) {}

  /// True if a record of this size can be pushed without breaking a limit.
  bool has_room(std::size_t record_bytes) const;

  /// True if it would have room once everything that still waits was dropped.
  bool could_fit(std::size_t record_bytes) const;

  /// Appends a copy of the record, whether or not it has room.
  void push(proto::ByteView record);

  bool is_empty() const { return events_ == 0; }
  std::uint64_t events() const { return events_; }
  std::uint64_t bytes() const { return bytes_; }

  /// The oldest record; the queue is not empty.
  proto::ByteView front() const;

  /// Removes the oldest record and forgets it: it was dropped.
  void pop();

  /// Removes the oldest record, which goes on counting against the limits until released.
  void take();

  /// What was taken is settled: delivered, dropped or dead.
  void release(std::uint64_t events, std::uint64_t bytes);

 private:
  struct Chunk {
    std::unique_ptr<std::uint8_t[]> bytes;
    std::size_t capacity = 0;
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  void remove_front(std::size_t record_bytes);
  void add_chunk(std::size_t capacity_min);

  QueueLimits limits_;
  std::deque<Chunk> chunks_;
  Chunk spare_;  ///< the last emptied chunk, so that a short queue does not allocate
  std::uint64_t events_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t taken_events_ = 0;
  std::uint64_t taken_bytes_ = 0;
};

}  // namespace outrider::sidecar
