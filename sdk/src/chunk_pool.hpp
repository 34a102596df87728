// Chunk and ChunkPool: the memory that waiting events take, bounded.
//
// A chunk holds whole events back to back, so that a frame is made by copying runs of bytes; the
// slots of the events, which hold their lengths, begin at its other end and grow towards them:
//
//     event 0 | event 1 | event 2 | ...free...            | slot 2 | slot 1 | slot 0
//
// Used by Buffer and Shipper. Thread: the pool is safe from any thread; a chunk belongs to whoever
// took it. Owns: the chunks that are free. Fails with: nullptr at the limit or out of memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "sdk/src/lock.hpp"

namespace outrider::sdk {

class Chunk {
 public:
  /// The lengths of an event: only they show where its data ends, which is not checked yet.
  struct Slot {
    std::uint32_t event_bytes;
    std::uint32_t attributes_bytes;  ///< of event_bytes, at the end
  };

  /// Bytes that an event takes here.
  static constexpr std::size_t slot_bytes(std::size_t event_bytes) {
    return event_bytes + sizeof(Slot);
  }

  bool has_room(std::size_t event_bytes) const {
    return slot_bytes(event_bytes) <= capacity - used - event_count * sizeof(Slot);
  }

  /// Room for one more event, which the caller writes; has_room() holds.
  std::uint8_t* add(Slot slot) {
    std::uint8_t* out = storage() + used;
    used += slot.event_bytes;
    ++event_count;
    std::memcpy(slot_at(event_count - 1), &slot, sizeof slot);
    return out;
  }

  Slot slot(std::uint32_t index) {
    Slot slot;
    std::memcpy(&slot, slot_at(index), sizeof slot);
    return slot;
  }
  std::uint32_t event_bytes(std::uint32_t index) { return slot(index).event_bytes; }

  /// Removes the events for which `keep`, given all of an event but its attributes, returns false,
  /// and closes the gaps; returns how many were removed.
  template <typename Keep>
  std::uint32_t remove_unless(const Keep& keep) {
    const std::uint32_t count = event_count;
    std::uint32_t at = 0;
    used = event_count = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const Slot lengths = slot(i);
      std::uint8_t* event = storage() + at;
      at += lengths.event_bytes;
      const std::size_t own_bytes = lengths.event_bytes - lengths.attributes_bytes;
      if (!keep(std::span<const std::uint8_t>(event, own_bytes))) continue;
      if (event_count == i) {
        used = at;
        ++event_count;
      } else {
        std::memmove(add(lengths), event, lengths.event_bytes);
      }
    }
    return count - event_count;
  }

  /// All the memory that it takes.
  std::size_t total_bytes() const { return sizeof(Chunk) + capacity; }

  std::uint8_t* storage() { return reinterpret_cast<std::uint8_t*>(this + 1); }

  Chunk* next = nullptr;
  std::uint32_t capacity = 0;     ///< bytes of storage
  std::uint32_t used = 0;         ///< bytes of events
  std::uint32_t event_count = 0;  ///< events added
  std::uint32_t taken = 0;        ///< bytes of events that are already in frames
  std::uint32_t taken_count = 0;  ///< events that are already in frames

 private:
  std::uint8_t* slot_at(std::uint32_t index) {
    return storage() + capacity - (index + 1U) * sizeof(Slot);
  }
};

class ChunkPool {
 public:
  explicit ChunkPool(std::size_t bytes_max);
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  /// The part of the limit that a chunk for an event of this size takes.
  std::size_t bytes_for(std::size_t event_bytes) const;
  /// The unused part of the limit.
  std::size_t room_bytes() const { return bytes_max_ - used_bytes_.load(); }
  /// The largest event that a pool of this size ever has room for.
  static constexpr std::size_t event_bytes_max(std::size_t bytes_max) {
    return bytes_max - sizeof(Chunk) - Chunk::slot_bytes(0);
  }

  /// An empty chunk with room for an event of this size.
  Chunk* take(std::size_t event_bytes);
  void give_back(Chunk* chunk);

  /// After a burst: keeps free chunks of at most a quarter of the limit.
  void trim();

  bool is_half_used() const { return used_bytes_.load(std::memory_order_relaxed) > bytes_max_ / 2; }

  /// For fork: no other thread is inside the pool in between.
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
