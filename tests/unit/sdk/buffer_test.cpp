#include "sdk/src/buffer.hpp"

#include <cstring>
#include <span>
#include <string>

#include <gtest/gtest.h>

namespace outrider::sdk {
namespace {

constexpr std::size_t bytes_max = 64U << 10U;

Append append(Buffer& buffer, std::uint64_t value, std::size_t bytes = sizeof(std::uint64_t)) {
  return buffer.append(bytes, 0,
                       [&](std::uint8_t* out) { std::memcpy(out, &value, sizeof value); });
}

bool is_taken(Append result) {
  return result == Append::appended || result == Append::appended_to_new_chunk;
}

/// The shard that this thread uses.
std::size_t used_shard(Buffer& buffer) {
  std::size_t shard = 0;
  while (buffer.chunk_count(shard) == 0) ++shard;
  return shard;
}

TEST(Buffer, KeepsOrderAndLengths) {
  Buffer buffer(bytes_max);
  for (std::uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(is_taken(append(buffer, i, 8 + i % 5)));
  const std::size_t shard = used_shard(buffer);
  Chunk* chunk = buffer.take(shard);
  ASSERT_EQ(chunk->event_count, 100U);
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < 100; ++i) {
    ASSERT_EQ(chunk->event_bytes(i), 8 + i % 5);
    std::uint64_t value;
    std::memcpy(&value, chunk->storage() + at, sizeof value);
    ASSERT_EQ(value, i);
    at += chunk->event_bytes(i);
  }
  EXPECT_EQ(chunk->used, at);
  EXPECT_EQ(buffer.take(shard), nullptr);
  buffer.give_back(chunk);
}

TEST(Buffer, OneThreadCanUseNearlyAllOfIt) {
  Buffer buffer(bytes_max);
  std::size_t taken = 0;
  constexpr std::size_t event_bytes = 200;
  while (is_taken(append(buffer, taken, event_bytes))) ++taken;
  EXPECT_LE(taken * event_bytes, bytes_max);
  EXPECT_GE(taken * event_bytes, bytes_max * 9 / 10);
  EXPECT_EQ(append(buffer, 0, event_bytes), Append::full);
  EXPECT_EQ(buffer.accepted_events(), taken);
  EXPECT_EQ(buffer.clear(), taken);
  EXPECT_TRUE(is_taken(append(buffer, 0, event_bytes)));
}

TEST(Buffer, EvictingMakesRoomForTheNewest) {
  Buffer buffer(bytes_max);
  std::uint64_t next = 0;
  while (is_taken(append(buffer, next, 100))) ++next;
  const std::uint64_t evicted = buffer.make_room(100);
  EXPECT_GT(evicted, 0U);
  EXPECT_TRUE(is_taken(append(buffer, next, 100)));
  Chunk* oldest = buffer.take(used_shard(buffer));
  std::uint64_t value;
  std::memcpy(&value, oldest->storage(), sizeof value);
  EXPECT_EQ(value, evicted);
  buffer.give_back(oldest);
}

TEST(Buffer, EvictsNothingWhereThereIsRoom) {
  Buffer buffer(bytes_max);
  EXPECT_EQ(buffer.make_room(100), 0U);
  append(buffer, 1);
  EXPECT_EQ(buffer.make_room(bytes_max / 2), 0U);
  EXPECT_EQ(buffer.clear(), 1U);
}

TEST(Buffer, EvictsAsMuchAsALargeEventNeedsAndNoMore) {
  Buffer buffer(bytes_max);
  std::uint64_t next = 0;
  while (is_taken(append(buffer, next, 100))) ++next;
  const std::uint64_t evicted = buffer.make_room(bytes_max / 2);
  EXPECT_TRUE(is_taken(append(buffer, next, bytes_max / 2)));
  // A usual chunk is a sixteenth.
  EXPECT_LE(evicted, next * 10 / 16);
}

TEST(Buffer, EvictsNothingForAnEventThatWouldNotFitEvenThen) {
  Buffer buffer(bytes_max);
  std::uint64_t next = 0;
  while (is_taken(append(buffer, next, 100))) ++next;
  const std::size_t shard = used_shard(buffer);
  Chunk* const being_sent = buffer.take(shard);
  EXPECT_EQ(buffer.make_room(bytes_max - 1'000), 0U);
  EXPECT_EQ(buffer.clear(), next - being_sent->event_count);
  buffer.give_back(being_sent);
  const std::size_t largest = ChunkPool::event_bytes_max(bytes_max);
  EXPECT_EQ(append(buffer, 1, largest + 1), Append::full);
  EXPECT_TRUE(is_taken(append(buffer, 1, largest)));
}

TEST(Buffer, LargeEventGetsAChunkOfItsOwn) {
  Buffer buffer(bytes_max);
  ASSERT_TRUE(is_taken(append(buffer, 1, bytes_max / 2)));
  EXPECT_EQ(append(buffer, 2, bytes_max / 2), Append::full);
  EXPECT_TRUE(is_taken(append(buffer, 3, bytes_max / 4)));
  EXPECT_EQ(buffer.clear(), 2U);
}

TEST(Buffer, ClosedTakesNothingAndKeepsWhatItHas) {
  Buffer buffer(bytes_max);
  append(buffer, 1);
  buffer.close();
  EXPECT_EQ(append(buffer, 2), Append::closed);
  EXPECT_EQ(buffer.clear(), 1U);
}

TEST(Chunk, RemovingEventsClosesTheGaps) {
  ChunkPool pool(bytes_max);
  Chunk* chunk = pool.take(1);
  for (const std::string text : {"a", "-", "bb", "--", "-", "ccc"}) {
    const auto bytes = static_cast<std::uint32_t>(text.size());
    std::memcpy(chunk->add({bytes, bytes - 1}), text.data(), bytes);
  }
  std::size_t bytes_seen = 0;
  const auto keep = [&](std::span<const std::uint8_t> without_attributes) {
    bytes_seen += without_attributes.size();
    return without_attributes[0] != '-';
  };
  EXPECT_EQ(chunk->remove_unless(keep), 3U);
  EXPECT_EQ(bytes_seen, 6U);
  EXPECT_EQ(chunk->event_count, 3U);
  EXPECT_EQ(std::string(chunk->storage(), chunk->storage() + chunk->used), "abbccc");
  EXPECT_EQ(chunk->event_bytes(0), 1U);
  EXPECT_EQ(chunk->event_bytes(1), 2U);
  EXPECT_EQ(chunk->event_bytes(2), 3U);
  EXPECT_EQ(chunk->slot(2).attributes_bytes, 2U);
  pool.give_back(chunk);
}

}  // namespace
}  // namespace outrider::sdk
