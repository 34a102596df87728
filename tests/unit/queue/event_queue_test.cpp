#include "sidecar/queue/event_queue.hpp"

#include <deque>

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"
#include "support/numbered_record.hpp"

namespace outrider::sidecar {
namespace {

using test::numbered_record;

constexpr QueueLimits roomy = {1'000'000, 1ULL << 30U};

std::vector<std::uint8_t> copy(proto::ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

TEST(EventQueue, GivesBackWhatWasPushedInOrder) {
  EventQueue queue(roomy);
  for (std::uint64_t i = 0; i < 10'000; ++i) queue.push(numbered_record({.number = i}));
  EXPECT_EQ(queue.events(), 10'000U);
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    ASSERT_EQ(copy(queue.front()), numbered_record({.number = i}));
    queue.take();
  }
  EXPECT_TRUE(queue.is_empty());
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(EventQueue, TheEventLimitCountsWhatIsTakenUntilItIsReleased) {
  EventQueue queue({2, 1'000'000});
  const auto record = numbered_record();
  EXPECT_TRUE(queue.has_room(record.size()));
  queue.push(record);
  queue.push(record);
  EXPECT_FALSE(queue.has_room(record.size()));
  queue.take();
  EXPECT_FALSE(queue.has_room(record.size()));
  queue.release(1, record.size());
  EXPECT_TRUE(queue.has_room(record.size()));
  queue.push(record);
  queue.pop();
  EXPECT_TRUE(queue.has_room(record.size()));
}

TEST(EventQueue, TheByteLimitHoldsToTheByte) {
  const auto record = numbered_record();
  EventQueue queue({1000, 3 * record.size()});
  queue.push(record);
  queue.push(record);
  EXPECT_TRUE(queue.has_room(record.size()));
  EXPECT_FALSE(queue.has_room(record.size() + 1));
  queue.push(record);
  EXPECT_FALSE(queue.has_room(1));
}

TEST(EventQueue, ARecordLargerThanAChunkFits) {
  EventQueue queue(roomy);
  const std::string text(1'000'000, 'x');
  std::string data("\xdb\x00\x0f\x42\x40", 5);
  data += text;
  proto::EventView event;
  event.topic = "big";
  event.data = proto::as_bytes(data);
  std::vector<std::uint8_t> big(record_bytes(event, {}));
  write_record(event, {}, big.data());
  queue.push(numbered_record());
  queue.push(big);
  queue.push(numbered_record({.number = 2}));
  queue.take();
  EXPECT_EQ(copy(queue.front()), big);
  queue.take();
  EXPECT_EQ(copy(queue.front()), numbered_record({.number = 2}));
}

TEST(EventQueue, BehavesLikeADequeUnderRandomUse) {
  Random random(1);
  EventQueue queue(roomy);
  std::deque<std::vector<std::uint8_t>> model;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    // Waves: it fills, runs empty and fills again.
    const bool fills = (i / 5000) % 2 == 0;
    if (model.empty() || random.chance(fills ? 0.7 : 0.3)) {
      model.push_back(numbered_record({.number = i}));
      queue.push(model.back());
    } else {
      ASSERT_EQ(copy(queue.front()), model.front());
      const std::size_t size = model.front().size();
      model.pop_front();
      if (random.chance(0.5)) {
        queue.pop();
      } else {
        queue.take();
        queue.release(1, size);
      }
    }
    ASSERT_EQ(queue.events(), model.size());
  }
}

}  // namespace
}  // namespace outrider::sidecar
