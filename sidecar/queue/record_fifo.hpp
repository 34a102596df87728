// RecordFifo: records stored back to back in chunks, so that an event costs its record and nothing
// else.
//
// Used by EventQueue, one for each priority. Thread: one fifo, one thread. Owns: the records'
// bytes; a view is valid until its record is removed. No limits of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "proto/bytes.hpp"

namespace outrider::sidecar {

class RecordFifo {
 public:
  /// Appends a copy of the record.
  void push(proto::ByteView record);
  /// Appends a record of this many bytes, which the caller writes before it calls anything else
  /// here.
  std::uint8_t* add(std::size_t record_bytes);

  /// The oldest record; there is one.
  proto::ByteView front() const;
  void pop_front();

  bool is_empty() const { return events_ == 0; }
  std::uint64_t events() const { return events_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Chunk {
    std::unique_ptr<std::uint8_t[]> bytes;
    std::size_t capacity = 0;
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  void add_chunk(std::size_t capacity_min);

  std::deque<Chunk> chunks_;
  Chunk spare_;  ///< the last emptied chunk, so that a short queue does not allocate
  std::uint64_t events_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace outrider::sidecar
