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

TEST(EventQueue, ForgetsWhatWaitsAndNotWhatIsTaken) {
  for (const QueueOrder order : {QueueOrder::by_priority, QueueOrder::by_arrival}) {
    EventQueue queue({3, 1'000'000}, order);
    const auto record = numbered_record();
    for (const proto::Priority priority : {low, high, low}) queue.push(record, priority);
    queue.take();
    queue.clear();
    EXPECT_TRUE(queue.is_empty());
    EXPECT_FALSE(queue.is_unused());
    queue.push(record, normal);
    queue.push(record, low);
    EXPECT_FALSE(queue.has_room(1));
    queue.release(1, record.size());
    EXPECT_TRUE(queue.has_room(1));
    EXPECT_EQ(copy(queue.front()), copy(record));
  }
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

/// The same record, as if it stood on disk too.
std::vector<std::uint8_t> promised(std::uint64_t number) {
  const auto plain = numbered_record({.number = number});
  std::vector<std::uint8_t> stored(stored_record_bytes(read_record(plain.data())));
  write_stored_record(read_record(plain.data()), {}, stored.data());
  std::vector<std::uint8_t> record(restored_record_bytes(stored));
  restore_record(stored, RecordOrigin{1, 0}, {}, record.data());
  return record;
}

std::uint64_t number_of(proto::ByteView record) {
  return read_record(record.data()).id[15];
}

TEST(EventQueue, EvictsTheOldestOfTheLowestPriorityAndNoneAbove) {
  EventQueue queue({4, 1U << 20U});
  queue.push(numbered_record({.number = 1}), normal);
  queue.push(numbered_record({.number = 2}), low);
  queue.push(numbered_record({.number = 3}), low);
  queue.push(numbered_record({.number = 4}), high);
  const auto newcomer = numbered_record({.number = 5});
  for (const auto up_to : {high, low, normal}) {
    EXPECT_EQ(queue.evict_for(newcomer.size(), up_to), 1U);
    queue.push(newcomer, high);
  }
  EXPECT_EQ(queue.evict_for(newcomer.size(), normal), std::nullopt);
  EXPECT_EQ(queue.events(), 4U);
  EXPECT_EQ(number_of(queue.front()), 4U);
}

TEST(EventQueue, NothingIsEvictedForWhatWouldNotFitEvenThen) {
  const auto record = numbered_record();
  EventQueue queue({2, 1'000'000});
  queue.push(record, high);
  queue.push(record, normal);
  EXPECT_EQ(queue.evict_for(record.size(), low), std::nullopt);
  EXPECT_EQ(queue.evict_for(2'000'000, high), std::nullopt);
  EXPECT_EQ(queue.events(), 2U);
}

TEST(EventQueue, WithAPartForOthersAsMuchLeavesAsComes) {
  const auto record = numbered_record();
  EventQueue queue({1000, 1U << 20U});
  for (int i = 0; i < 1000; ++i) queue.push(record, low);
  EXPECT_EQ(queue.evict_for(record.size(), high, 0.25), 1U);
  queue.push(record, high);
  for (int i = 0; i < 980; ++i) queue.take();
  EXPECT_EQ(queue.evict_for(record.size(), high, 0.25), 1U) << "what is in flight cannot leave";
}

TEST(EventQueue, WhatWasPromisedIsInNobodysWay) {
  for (const QueueOrder order : {QueueOrder::by_priority, QueueOrder::by_arrival}) {
    EventQueue queue({3, 1U << 20U}, order);
    queue.push(promised(1), low);
    queue.push(numbered_record({.number = 2}), low);
    queue.push(promised(3), low);
    EXPECT_EQ(queue.evict_for(10, low), 1U);
    EXPECT_EQ(queue.evict_for(10, low), 0U);
    queue.push(numbered_record({.number = 4}), low);
    for (const std::uint64_t number : {1U, 3U, 4U}) {
      EXPECT_EQ(number_of(queue.front()), number);
      queue.pop();
    }
  }
}

TEST(EventQueue, AnOrderTakesNoMoreRoomThanWhatWaits) {
  ArrivalOrder order;
  order.add(5);  // stays in front for ever
  for (int i = 0; i < 100'000; ++i) {
    order.add(0);
    order.add(2);
    order.remove(0);
    order.remove(2);
  }
  EXPECT_LT(order.runs(), 100U);
  EXPECT_EQ(order.front(), 5U);
}

/// The queue as it is described, without regard to time.
class Model {
 public:
  struct Entry {
    std::uint64_t number;
    std::size_t bytes;
    proto::Priority priority;
    bool is_promised;
  };

  Model(QueueLimits limits, QueueOrder order) : limits_(limits), order_(order) {}

  std::optional<std::uint64_t> evict_for(std::size_t bytes, proto::Priority up_to, double part) {
    const double rest = 1 - part;
    const auto events_max = std::min<std::uint64_t>(
        limits_.events_max,
        std::max<std::uint64_t>(
            static_cast<std::uint64_t>(static_cast<double>(limits_.events_max) * rest),
            waiting.size() + taken.size()));
    const auto bytes_max =
        std::min(limits_.bytes_max,
                 std::max(static_cast<std::uint64_t>(static_cast<double>(limits_.bytes_max) * rest),
                          held_bytes()));
    const std::deque<Entry> before = waiting;
    while (waiting.size() + taken.size() + 1 > events_max || held_bytes() + bytes > bytes_max) {
      auto victim = waiting.end();
      for (auto entry = waiting.begin(); entry != waiting.end(); ++entry) {
        if (entry->is_promised || entry->priority > up_to) continue;
        if (victim == waiting.end() || entry->priority < victim->priority) victim = entry;
      }
      if (victim == waiting.end()) {
        waiting = before;
        return std::nullopt;
      }
      waiting.erase(victim);
    }
    return before.size() - waiting.size();
  }

  std::deque<Entry>::iterator front() {
    auto front = waiting.begin();
    if (order_ == QueueOrder::by_arrival) return front;
    for (auto entry = front; entry != waiting.end(); ++entry) {
      if (entry->priority > front->priority) front = entry;
    }
    return front;
  }

  std::uint64_t held_bytes() const {
    std::uint64_t bytes = 0;
    for (const Entry& entry : waiting) bytes += entry.bytes;
    for (const Entry& entry : taken) bytes += entry.bytes;
    return bytes;
  }

  std::deque<Entry> waiting;
  std::deque<Entry> taken;

 private:
  QueueLimits limits_;
  QueueOrder order_;
};

void compare_with_model(std::uint64_t seed) {
  Random random(seed);
  const auto order = random.chance(0.5) ? QueueOrder::by_priority : QueueOrder::by_arrival;
  const QueueLimits limits = {1 + random.below(40), 200 + random.below(3000)};
  EventQueue queue(limits, order);
  Model model(limits, order);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const bool fills = (i / 100) % 2 == 0;
    if (random.chance(fills ? 0.8 : 0.3)) {
      const auto number = i % 256;
      const bool is_promised = random.chance(0.3);
      const auto record = is_promised ? promised(number) : numbered_record({.number = number});
      const auto priority = static_cast<proto::Priority>(random.below(3));
      const double part = random.chance(0.5) ? 0.25 : 0;
      const auto up_to = static_cast<proto::Priority>(random.below(3));
      const auto expected = model.evict_for(record.size(), up_to, part);
      ASSERT_EQ(queue.evict_for(record.size(), up_to, part), expected);
      if (expected) {
        queue.push(record, priority);
        model.waiting.push_back({number, record.size(), priority, is_promised});
      }
    } else if (!model.taken.empty() && random.chance(0.5)) {
      queue.release(1, model.taken.front().bytes);
      model.taken.pop_front();
    } else if (!model.waiting.empty()) {
      const auto front = model.front();
      ASSERT_EQ(number_of(queue.front()), front->number);
      if (random.chance(0.5)) {
        model.taken.push_back(*front);
        queue.take();
      } else {
        queue.pop();
      }
      model.waiting.erase(front);
    }
    ASSERT_EQ(queue.events(), model.waiting.size());
  }
}

TEST(EventQueue, GivesUpAndGivesBackAsTheModelDoesInRandomHistories) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    compare_with_model(seed);
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace outrider::sidecar
