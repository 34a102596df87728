#include "sidecar/queue/record_fifo.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "sidecar/base/record.hpp"

namespace outrider::sidecar {
namespace {

/// Large enough that the unused end of a chunk does not matter, small enough for a busy sidecar
/// with many destinations.
constexpr std::size_t chunk_bytes = 256UL << 10U;

}  // namespace

void RecordFifo::push(proto::ByteView record) {
  std::memcpy(add(record.size()), record.data(), record.size());
}

std::uint8_t* RecordFifo::add(std::size_t record_bytes) {
  if (chunks_.empty() || chunks_.back().capacity - chunks_.back().end < record_bytes) {
    add_chunk(record_bytes);
  }
  Chunk& chunk = chunks_.back();
  std::uint8_t* record = chunk.bytes.get() + chunk.end;
  chunk.end += record_bytes;
  ++events_;
  bytes_ += record_bytes;
  return record;
}

void RecordFifo::add_chunk(std::size_t capacity_min) {
  if (spare_.capacity >= capacity_min) {
    chunks_.push_back(std::exchange(spare_, {}));
    return;
  }
  Chunk chunk;
  chunk.capacity = std::max(capacity_min, chunk_bytes);
  chunk.bytes = std::make_unique_for_overwrite<std::uint8_t[]>(chunk.capacity);
  chunks_.push_back(std::move(chunk));
}

proto::ByteView RecordFifo::front() const {
  const Chunk& chunk = chunks_.front();
  const std::uint8_t* at = chunk.bytes.get() + chunk.begin;
  return {at, record_bytes_at(at)};
}

void RecordFifo::pop_front() {
  const std::size_t record_bytes = front().size();
  Chunk& chunk = chunks_.front();
  chunk.begin += record_bytes;
  --events_;
  bytes_ -= record_bytes;
  if (chunk.begin != chunk.end) return;
  chunk.begin = chunk.end = 0;
  // A chunk made for one large event is not worth keeping.
  if (chunk.capacity == chunk_bytes) spare_ = std::move(chunk);
  chunks_.pop_front();
}

}  // namespace outrider::sidecar
