#include "sdk/src/buffer.hpp"

namespace outrider::sdk {

bool Buffer::Shard::open(Chunk* chunk) {
  if (chunk == nullptr) return false;
  (last == nullptr ? first : last->next) = chunk;
  last = chunk;
  ++chunk_count;
  chunk_bytes.fetch_add(chunk->total_bytes(), std::memory_order_relaxed);
  return true;
}

Chunk* Buffer::Shard::pop() {
  Chunk* chunk = first;
  if (chunk == nullptr) return nullptr;
  first = chunk->next;
  if (first == nullptr) last = nullptr;
  chunk->next = nullptr;
  --chunk_count;
  waiting_bytes.fetch_sub(chunk->used, std::memory_order_relaxed);
  chunk_bytes.fetch_sub(chunk->total_bytes(), std::memory_order_relaxed);
  return chunk;
}

std::uint64_t Buffer::make_room(std::size_t bytes) {
  const std::size_t needed = pool_.bytes_for(bytes);
  if (pool_.room_bytes() + chunk_bytes() < needed) return 0;
  std::uint64_t events = 0;
  while (pool_.room_bytes() < needed) {
    Chunk* const chunk = take_from_fullest();
    if (chunk == nullptr) break;
    events += chunk->event_count;
    give_back(chunk);
  }
  return events;
}

std::uint64_t Buffer::chunk_bytes() const {
  std::uint64_t bytes = 0;
  for (const Shard& shard : shards_) bytes += shard.chunk_bytes.load(std::memory_order_relaxed);
  return bytes;
}

Chunk* Buffer::take_from_fullest() {
  std::size_t fullest = 0;
  std::uint64_t fullest_bytes = 0;
  for (std::size_t i = 0; i < shards_max; ++i) {
    const std::uint64_t bytes = shards_[i].waiting_bytes.load(std::memory_order_relaxed);
    if (bytes <= fullest_bytes) continue;
    fullest = i;
    fullest_bytes = bytes;
  }
  return take(fullest);
}

std::size_t Buffer::chunk_count(std::size_t shard) {
  const std::lock_guard guard(shards_[shard].lock);
  return shards_[shard].chunk_count;
}

Chunk* Buffer::take(std::size_t shard) {
  const std::lock_guard guard(shards_[shard].lock);
  return shards_[shard].pop();
}

bool Buffer::is_empty() {
  // Every lock is taken, even so: an append that this call does not see happens after it.
  bool is_empty = true;
  for (std::size_t i = 0; i < shards_max; ++i) is_empty &= chunk_count(i) == 0;
  return is_empty;
}

void Buffer::close() {
  for (Shard& shard : shards_) {
    const std::lock_guard guard(shard.lock);
    shard.is_closed = true;
  }
}

std::uint64_t Buffer::clear() {
  std::uint64_t events = 0;
  for (std::size_t i = 0; i < shards_max; ++i) {
    while (Chunk* chunk = take(i)) {
      events += chunk->event_count;
      give_back(chunk);
    }
  }
  return events;
}

std::uint64_t Buffer::accepted_events() {
  std::uint64_t events = 0;
  for (Shard& shard : shards_) {
    const std::lock_guard guard(shard.lock);
    events += shard.accepted;
  }
  return events;
}

std::uint64_t Buffer::waiting_bytes() {
  std::uint64_t bytes = 0;
  for (const Shard& shard : shards_) bytes += shard.waiting_bytes.load(std::memory_order_relaxed);
  return bytes;
}

void Buffer::lock() {
  for (Shard& shard : shards_) shard.lock.lock();
  pool_.lock();
}

void Buffer::unlock() {
  pool_.unlock();
  for (Shard& shard : shards_) shard.lock.unlock();
}

void Buffer::restart() {
  clear();
  pool_.forget_used();
  for (Shard& shard : shards_) {
    shard.accepted = 0;
    shard.is_closed = false;
  }
}

}  // namespace outrider::sdk
