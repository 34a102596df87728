#include "sidecar/queue/event_queue.hpp"

#include <deque>

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"
#include "support/numbered_record.hpp"

namespace outrider::sidecar {
namespace {

using test::numbered_record;

constexpr auto low = proto::Priority::low;
constexpr auto normal = proto::Priority::normal;
constexpr auto high = proto::Priority::high;
constexpr QueueLimits roomy = {1'000'000, 1ULL << 30U};

std::vector<std::uint8_t> copy(proto::ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

TEST(EventQueue, GivesBackWhatWasPushedInOrder) {
  EventQueue queue(roomy);
  for (std::uint64_t i = 0; i < 10'000; ++i) queue.push(numbered_record({.number = i}), normal);
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
  queue.push(record, normal);
  queue.push(record, normal);
  EXPECT_FALSE(queue.has_room(record.size()));
  queue.take();
  EXPECT_FALSE(queue.has_room(record.size()));
  queue.release(1, record.size());
  EXPECT_TRUE(queue.has_room(record.size()));
  queue.push(record, normal);
  queue.pop();
  EXPECT_TRUE(queue.has_room(record.size()));
}

TEST(EventQueue, TheByteLimitHoldsToTheByte) {
  const auto record = numbered_record();
  EventQueue queue({1000, 3 * record.size()});
  queue.push(record, normal);
  queue.push(record, normal);
  EXPECT_TRUE(queue.has_room(record.size()));
  EXPECT_FALSE(queue.has_room(record.size() + 1));
  queue.push(record, normal);
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
  queue.push(numbered_record(), normal);
  queue.push(big, normal);
  queue.push(numbered_record({.number = 2}), normal);
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
      queue.push(model.back(), normal);
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

TEST(EventQueue, HigherPrioritiesGoFirstUnlessTheOrderIsThatOfArrival) {
  for (const QueueOrder order : {QueueOrder::by_priority, QueueOrder::by_arrival}) {
    EventQueue queue(roomy, order);
    queue.push(numbered_record({.number = 1}), low);
    queue.push(numbered_record({.number = 2}), high);
    queue.push(numbered_record({.number = 3}), normal);
    std::vector<std::uint64_t> expected = {2, 3, 1};
    if (order == QueueOrder::by_arrival) expected = {1, 2, 3};
    for (const std::uint64_t number : expected) {
      EXPECT_EQ(copy(queue.front()), numbered_record({.number = number}));
      queue.pop();
    }
    EXPECT_TRUE(queue.is_empty());
  }
}

TEST(EventQueue, EvictsTheOldestOfTheLowestPriorityAndNoneAbove) {
  EventQueue queue(roomy);
  queue.push(numbered_record({.number = 1}), normal);
  queue.push(numbered_record({.number = 2}), low);
  queue.push(numbered_record({.number = 3}), low);
  queue.push(numbered_record({.number = 4}), high);
  EXPECT_TRUE(queue.evict(high));
  EXPECT_TRUE(queue.evict(low));
  EXPECT_FALSE(queue.evict(low));
  EXPECT_TRUE(queue.evict(normal));
  EXPECT_FALSE(queue.evict(normal));
  EXPECT_EQ(copy(queue.front()), numbered_record({.number = 4}));
}

TEST(EventQueue, CouldFitCountsWhatMayBeEvicted) {
  const auto record = numbered_record();
  EventQueue queue({2, 1'000'000});
  queue.push(record, high);
  queue.push(record, normal);
  EXPECT_FALSE(queue.could_fit(record.size(), low));
  EXPECT_TRUE(queue.could_fit(record.size(), normal));
  EXPECT_FALSE(queue.could_fit(2'000'000, high));
}

TEST(EventQueue, KeepsTheOrderOfArrivalUnderRandomEvictions) {
  Random random(7);
  EventQueue queue(roomy, QueueOrder::by_arrival);
  struct Entry {
    std::uint64_t number;
    proto::Priority priority;
  };
  std::deque<Entry> model;
  for (std::uint64_t i = 0; i < 50'000; ++i) {
    const bool fills = (i / 2000) % 2 == 0;
    if (model.empty() || random.chance(fills ? 0.7 : 0.3)) {
      const auto priority = static_cast<proto::Priority>(random.below(3));
      model.push_back({i, priority});
      queue.push(numbered_record({.number = i}), priority);
    } else if (random.chance(0.5)) {
      ASSERT_EQ(copy(queue.front()), numbered_record({.number = model.front().number}));
      model.pop_front();
      queue.pop();
    } else {
      const auto up_to = static_cast<proto::Priority>(random.below(3));
      auto victim = model.end();
      for (auto entry = model.begin(); entry != model.end(); ++entry) {
        const bool is_lower = victim == model.end() || entry->priority < victim->priority;
        if (entry->priority <= up_to && is_lower) victim = entry;
      }
      ASSERT_EQ(queue.evict(up_to), victim != model.end());
      if (victim != model.end()) model.erase(victim);
    }
    ASSERT_EQ(queue.events(), model.size());
  }
}

}  // namespace
}  // namespace outrider::sidecar
