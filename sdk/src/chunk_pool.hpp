// Chunk and ChunkPool: the memory that waiting events take, bounded.
//
// A chunk holds whole events back to back, so that a frame is made by copying runs of bytes; the
// lengths of the events, and of the attributes at their ends, stand at its other end and grow
// towards them:
//
//     event 0 | event 1 | event 2 | ...free...      | length 2 | length 1 | length 0
//
// Used by Buffer and Shipper. Thread: the pool is safe from any thread; a chunk belongs to whoever
// took it. Owns: the chunks that are free. Fails with: nullptr at the limit or out of memory.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "sdk/src/lock.hpp"

namespace outrider::sdk {

class Chunk {
 public:
  /// Bytes that an event takes here.
  static constexpr std::size_t slot_bytes(std::size_t event_bytes) {
    return event_bytes + length_bytes;
  }

  bool has_room(std::size_t event_bytes) const {
    return slot_bytes(event_bytes) <= capacity - used - event_count * length_bytes;
  }

  /// Room for one more event, which the caller writes; has_room() holds.
  std::uint8_t* add(std::size_t event_bytes, std::size_t attributes_bytes = 0) {
    const auto length = static_cast<std::uint32_t>(event_bytes);
    const auto attributes = static_cast<std::uint16_t>(attributes_bytes);
    std::uint8_t* out = storage() + used;
    used += length;
    std::uint8_t* const at = length_at(event_count++);
    std::memcpy(at, &length, sizeof length);
    std::memcpy(at + sizeof length, &attributes, sizeof attributes);
    return out;
  }

  std::uint32_t event_bytes(std::uint32_t index) {
    std::uint32_t length;
    std::memcpy(&length, length_at(index), sizeof length);
    return length;
  }

  std::uint16_t attributes_bytes(std::uint32_t index) {
    std::uint16_t length;
    std::memcpy(&length, length_at(index) + sizeof(std::uint32_t), sizeof length);
    return length;
  }

  /// Closes the gap that `keep(event, attributes_bytes)` returning false leaves; returns how many
  /// were removed.
  template <typename Keep>
  std::uint32_t remove_unless(const Keep& keep) {
    const std::uint32_t count = event_count;
    std::uint32_t at = 0;
    used = event_count = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t bytes = event_bytes(i);
      std::uint8_t* event = storage() + at;
      at += bytes;
      const std::uint16_t attributes = attributes_bytes(i);
      if (!keep(std::span<const std::uint8_t>(event, bytes), attributes)) continue;
      if (event_count == i) {
        used = at;
        ++event_count;
      } else {
        std::memmove(add(bytes, attributes), event, bytes);
      }
    }
    return count - event_count;
  }

  /// All that it takes in the pool.
  std::size_t size() const { return sizeof(Chunk) + capacity; }

  std::uint8_t* storage() { return reinterpret_cast<std::uint8_t*>(this + 1); }

  Chunk* next = nullptr;
  std::uint32_t capacity = 0;     ///< bytes of storage
  std::uint32_t used = 0;         ///< bytes of events
  std::uint32_t event_count = 0;  ///< events added
  std::uint32_t taken = 0;        ///< bytes of events that stand in frames already
  std::uint32_t taken_count = 0;  ///< events that stand in frames already

 private:
  static constexpr std::size_t length_bytes = sizeof(std::uint32_t) + sizeof(std::uint16_t);

  std::uint8_t* length_at(std::uint32_t index) {
    return storage() + capacity - (index + 1U) * length_bytes;
  }
};

class ChunkPool {
 public:
  explicit ChunkPool(std::size_t bytes_max);
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  /// The largest event that fits into an empty pool.
  static constexpr std::size_t event_bytes_max(std::size_t bytes_max) {
    return bytes_max - sizeof(Chunk) - Chunk::slot_bytes(0);
  }
  /// Whether there would be a chunk for the event if `bytes` were given back.
  bool could_take(std::size_t event_bytes, std::size_t bytes) const {
    const std::size_t used = used_bytes_.load(std::memory_order_relaxed);
    return std::max(sizeof(Chunk) + Chunk::slot_bytes(event_bytes), chunk_bytes_) <=
           bytes_max_ - used + bytes;
  }

  /// An empty chunk with room for an event of this size.
  Chunk* take(std::size_t event_bytes);
  void give_back(Chunk* chunk);

  /// After a time of need: keeps no more free chunks than a quarter of the limit.
  void trim();

  bool is_half_used() const { return used_bytes_.load(std::memory_order_relaxed) > bytes_max_ / 2; }

  /// For fork: nobody else is inside the pool in between.
  void lock() { lock_.lock(); }
  void unlock() { lock_.unlock(); }
  /// In the child: chunks that threads of the parent hold are not coming back.
  void forget_used() { used_bytes_.store(0, std::memory_order_relaxed); }

 private:
  bool reserve(std::size_t bytes);
  void free_until(std::size_t free_bytes_max);

  const std::size_t bytes_max_;
  const std::size_t chunk_bytes_;  ///< of a usual chunk; only those are kept when free
  std::atomic<std::size_t> used_bytes_ = 0;
  Lock lock_;
  // Guarded by lock_.
  Chunk* free_ = nullptr;
  std::size_t free_bytes_ = 0;
};

}  // namespace outrider::sdk
