#include "sdk/src/chunk_pool.hpp"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>

namespace outrider::sdk {
namespace {

constexpr std::size_t chunk_bytes_min = std::size_t{4} << 10U;
constexpr std::size_t chunk_bytes_max = std::size_t{64} << 10U;
constexpr std::size_t chunks_of_a_buffer_min = 16;
constexpr std::size_t idle_part = 4;

}  // namespace

ChunkPool::ChunkPool(std::size_t bytes_max)
    : bytes_max_(bytes_max),
      chunk_bytes_(
          std::clamp(bytes_max / chunks_of_a_buffer_min, chunk_bytes_min, chunk_bytes_max)) {}

ChunkPool::~ChunkPool() {
  free_until(0);
}

std::size_t ChunkPool::bytes_for(std::size_t event_bytes) const {
  return std::max(sizeof(Chunk) + Chunk::slot_bytes(event_bytes), chunk_bytes_);
}

Chunk* ChunkPool::take(std::size_t event_bytes) {
  const std::size_t bytes = bytes_for(event_bytes);
  if (!reserve(bytes)) return nullptr;
  {
    const std::lock_guard guard(lock_);
    if (bytes == chunk_bytes_ && free_ != nullptr) {
      Chunk* chunk = free_;
      free_ = chunk->next;
      free_bytes_ -= bytes;
      chunk->next = nullptr;
      chunk->used = chunk->event_count = chunk->taken = chunk->taken_count = 0;
      return chunk;
    }
    // A large event must not push memory above the limit by way of the free chunks.
    const std::size_t used = used_bytes_.load(std::memory_order_relaxed);
    free_until(bytes_max_ - std::min(bytes_max_, used));
  }
  void* memory = std::malloc(bytes);
  if (memory == nullptr) {
    used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    return nullptr;
  }
  auto* chunk = new (memory) Chunk;
  chunk->capacity = static_cast<std::uint32_t>(bytes - sizeof(Chunk));
  return chunk;
}

void ChunkPool::give_back(Chunk* chunk) {
  const std::size_t bytes = chunk->total_bytes();
  if (bytes == chunk_bytes_) {
    const std::lock_guard guard(lock_);
    chunk->next = free_;
    free_ = chunk;
    free_bytes_ += bytes;
  } else {
    std::free(chunk);
  }
  used_bytes_.fetch_sub(bytes);
}

void ChunkPool::trim() {
  const std::lock_guard guard(lock_);
  free_until(bytes_max_ / idle_part);
}

bool ChunkPool::reserve(std::size_t bytes) {
  std::size_t used = used_bytes_.load();
  do {
    if (bytes > bytes_max_ - used) return false;
  } while (!used_bytes_.compare_exchange_weak(used, used + bytes));
  return true;
}

void ChunkPool::free_until(std::size_t free_bytes_max) {
  while (free_bytes_ > free_bytes_max) {
    Chunk* chunk = free_;
    free_ = chunk->next;
    free_bytes_ -= chunk->total_bytes();
    std::free(chunk);
  }
}

}  // namespace outrider::sdk
