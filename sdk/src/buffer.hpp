// Buffer: the events that wait for the shipper, already in their wire form.
//
// A fixed number of shards, each with its own lock and its own list of chunks; a thread always uses
// the same shard, so that threads do not wait for each other and the events of one thread keep
// their order. All shards share one pool, so that one thread can use the whole buffer.
//
// Used by Client (appends, evicts) and Shipper (takes). Thread: any. Owns: the chunks in its
// shards. Fails with: Append::full, never by blocking. Limits: buffer_bytes_max, chunks included.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "sdk/src/chunk_pool.hpp"
#include "sdk/src/lock.hpp"

namespace outrider::sdk {

enum class Append : std::uint8_t {
  appended,
  appended_to_new_chunk,
  full,
  closed,
};

class Buffer {
 public:
  static constexpr std::size_t shards_max = 8;

  explicit Buffer(std::size_t bytes_max) : pool_(bytes_max) {}
  ~Buffer() { clear(); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  /// Appends an event of `bytes` bytes, the last `attributes_bytes` of them its attributes;
  /// `write(out)` writes all of it.
  template <typename Write>
  Append append(std::size_t bytes, std::size_t attributes_bytes, const Write& write) {
    Shard& shard = shards_[this_thread_shard()];
    const std::lock_guard guard(shard.lock);
    if (shard.is_closed) return Append::closed;
    const bool is_new = shard.last == nullptr || !shard.last->has_room(bytes);
    if (is_new && !shard.open(pool_.take(bytes))) return Append::full;
    write(shard.last->add(
        {static_cast<std::uint32_t>(bytes), static_cast<std::uint32_t>(attributes_bytes)}));
    shard.waiting_bytes.store(shard.waiting_bytes.load(std::memory_order_relaxed) + bytes,
                              std::memory_order_relaxed);
    ++shard.accepted;
    return is_new ? Append::appended_to_new_chunk : Append::appended;
  }

  /// Drops the oldest chunks of the fullest shards, as many as an event of `bytes` bytes needs, or
  /// none if it would not fit even then: chunks that are being sent cannot be dropped. Returns how
  /// many events that were.
  std::uint64_t make_room(std::size_t bytes);

  /// Chunks that wait in a shard now.
  std::size_t chunk_count(std::size_t shard);
  /// The oldest chunk of a shard, or nullptr; goes back by give_back.
  Chunk* take(std::size_t shard);
  void give_back(Chunk* chunk) { pool_.give_back(chunk); }

  bool is_empty();
  bool is_half_used() const { return pool_.is_half_used(); }
  void trim() { pool_.trim(); }

  /// append() answers `closed` from now on.
  void close();

  /// Drops all that waits and returns how many events that were.
  std::uint64_t clear();

  std::uint64_t accepted_events();
  std::uint64_t waiting_bytes();

  /// For fork: no other thread is inside the buffer between lock and unlock.
  void lock();
  void unlock();
  /// In the child: back to an empty, open buffer; chunks that others hold are forgotten.
  void restart();

 private:
  // A cache line pair each, so that threads do not share lines.
  struct alignas(128) Shard {
    bool open(Chunk* chunk);
    Chunk* pop();

    Lock lock;
    // Guarded by lock.
    Chunk* first = nullptr;
    Chunk* last = nullptr;
    std::size_t chunk_count = 0;
    std::uint64_t accepted = 0;
    bool is_closed = false;
    // Written under lock, read without it to find the fullest shard and the events that can be
    // dropped.
    std::atomic<std::uint64_t> waiting_bytes = 0;
    std::atomic<std::uint64_t> chunk_bytes = 0;
  };

  std::uint64_t chunk_bytes() const;
  Chunk* take_from_fullest();

  static std::size_t this_thread_shard() {
    static thread_local const std::size_t shard =
        next_thread_.fetch_add(1, std::memory_order_relaxed) % shards_max;
    return shard;
  }

  static inline std::atomic<std::size_t> next_thread_ = 0;

  ChunkPool pool_;
  std::array<Shard, shards_max> shards_;
};

}  // namespace outrider::sdk
