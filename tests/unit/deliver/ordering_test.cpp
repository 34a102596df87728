// What goes first, what gives way: order by key, and priorities at the high-water mark.

#include <map>
#include <vector>

#include "sidecar/base/random.hpp"
#include "unit/deliver/destination_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class OrderingTest : public DestinationFixture {
 protected:
  OrderingTest() {
    config.ordering = Ordering::key;
    config.concurrency_max = 4;
    config.batch_events_max = 2;
  }
};

TEST_F(OrderingTest, AnEventWaitsForTheOneOfItsKeyBeforeItWhileOthersOvertake) {
  build();
  accept_keyed("a", 1);
  turn();
  accept_keyed("a", 2);
  accept_keyed("b", 3);
  accept_keyed("b", 4);
  turn();
  ASSERT_EQ(transport->started.size(), 2U);
  EXPECT_EQ(sent(1), (Numbers{3, 4}));
  transport->answer(200);
  turn();
  EXPECT_EQ(sent(2), Numbers{2});
  drain();
  EXPECT_EQ(ledger().delivered, 4U);
}

TEST_F(OrderingTest, AlsoOverRetries) {
  build();
  accept_keyed("a", 1);
  turn();
  transport->fail();
  turn();
  accept_keyed("a", 2);
  accept_keyed("b", 3);
  turn();
  ASSERT_EQ(transport->started.size(), 2U);
  EXPECT_EQ(sent(1), Numbers{3}) << "another key is not held up";
  sleep_until_due();
  EXPECT_EQ(sent(2), Numbers{1});
  while (!transport->open.empty()) transport->answer(200), turn();
  EXPECT_EQ(sent(3), Numbers{2});
}

TEST_F(OrderingTest, EventsWithoutAKeyAreInNobodysWay) {
  build();
  accept(1, 1);
  turn();
  accept(2, 3);
  turn();
  EXPECT_EQ(transport->open.size(), 2U);
}

TEST_F(OrderingTest, ASplitBatchGoesOneHalfAfterTheOther) {
  config.batch_events_max = 4;
  build();
  for (std::uint64_t n = 1; n <= 4; ++n) accept_keyed("a", n);
  turn();
  transport->answer(413);
  turn();
  ASSERT_EQ(transport->open.size(), 1U) << "the second half waits for the first";
  EXPECT_EQ(sent(1), (Numbers{1, 2}));
  transport->answer(413);
  turn();
  EXPECT_EQ(sent(2), Numbers{1});
  transport->answer(503);
  turn();
  EXPECT_EQ(transport->open.size(), 0U);
  drain();
  ASSERT_EQ(transport->started.size(), 6U);
  EXPECT_EQ(sent(4), Numbers{2});
  EXPECT_EQ(sent(5), (Numbers{3, 4}));
}

TEST_F(OrderingTest, WhatIsLeftAtTheEndIsCountedWhereverItStands) {
  config.batch_events_max = 4;
  build();
  for (std::uint64_t n = 1; n <= 6; ++n) accept_keyed("a", n);
  turn();
  transport->answer(413);
  turn();
  EXPECT_EQ(ledger().in_flight, 2U);
  EXPECT_EQ(ledger().queued, 4U) << "the second half and what was set aside";
  destination->abandon(clock.now());
  EXPECT_EQ(ledger().dropped_for(DropReason::linger), 6U);
  EXPECT_TRUE(destination->is_drained());
}

TEST_F(OrderingTest, ADestinationThatIsGoneTakesEverythingWithIt) {
  config.batch_events_max = 4;
  build();
  for (std::uint64_t n = 1; n <= 6; ++n) accept_keyed("a", n);
  turn();
  transport->answer(413);
  turn();
  transport->answer(410);
  turn();
  EXPECT_EQ(ledger().dead_total(), 6U);
  EXPECT_TRUE(destination->is_drained());
}

TEST_F(OrderingTest, HoldsUnderRandomFailuresSplitsAndTtls) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    config.batch_events_max = 1 + random.below(8);
    config.retry_share_max = 1;
    config.retry_initial = 10ms;
    config.breaker_failures = random.below(8);
    build();
    std::map<int, std::string> key_of;
    std::map<std::string, int> last_of;
    std::map<int, int> delivered;
    for (int n = 1; n <= 300; ++n) {
      const std::string key(1, static_cast<char>('a' + random.below(5)));
      key_of[n] = key;
      destination->accept(
          test::numbered_record({.number = static_cast<std::uint64_t>(n),
                                 .key = key,
                                 .priority = static_cast<proto::Priority>(random.below(3))}),
          clock.now());
      turn();
      while (!transport->open.empty() && random.chance(0.6)) {
        const Numbers batch = numbers(transport->open.begin()->second.body);
        const std::uint64_t dice = random.below(10);
        if (dice < 3) {
          transport->fail();
        } else if (dice < 5 && batch.size() > 1) {
          transport->answer(413);
        } else {
          for (const int number : batch) {
            EXPECT_GT(number, last_of[key_of[number]]) << "seed " << seed;
            last_of[key_of[number]] = number;
            ++delivered[number];
          }
          transport->answer(200);
        }
        turn();
      }
      clock.advance(std::chrono::milliseconds(random.below(20)));
      turn();
    }
    for (int i = 0; i < 10'000 && !destination->is_drained(); ++i) {
      if (transport->open.empty()) sleep_until_due();
      while (!transport->open.empty()) {
        for (const int number : numbers(transport->open.begin()->second.body)) {
          EXPECT_GT(number, last_of[key_of[number]]) << "seed " << seed;
          last_of[key_of[number]] = number;
          ++delivered[number];
        }
        transport->answer(200);
        turn();
      }
    }
    EXPECT_EQ(delivered.size(), 300U) << "seed " << seed;
    ASSERT_FALSE(HasFailure());
  }
}

class PriorityTest : public DestinationFixture {
 protected:
  PriorityTest() {
    config.concurrency_max = 1;
    config.queue_events_max = 4;
    config.batch_events_max = 10;
  }
  /// One is in flight, and three may wait.
  void fill(proto::Priority first, proto::Priority second, proto::Priority third) {
    build();
    accept_with(proto::Priority::normal, 1);
    turn();
    accept_with(first, 2);
    accept_with(second, 3);
    accept_with(third, 4);
  }
  Numbers next() {
    transport->answer(200);
    turn();
    return sent(transport->started.size() - 1);
  }
  static constexpr auto low = proto::Priority::low;
  static constexpr auto normal = proto::Priority::normal;
  static constexpr auto high = proto::Priority::high;
};

TEST_F(PriorityTest, LowGivesWayFirstAndHighLast) {
  for (const WhenFull when_full : {WhenFull::drop_newest, WhenFull::drop_oldest}) {
    config.when_full = when_full;
    fill(low, normal, high);
    accept_with(high, 5);
    EXPECT_EQ(ledger().dropped_for(DropReason::evicted), 1U);
    accept_with(high, 6);
    EXPECT_EQ(ledger().dropped_for(DropReason::evicted), 2U);
    EXPECT_EQ(next(), (Numbers{4, 5, 6}));
  }
}

TEST_F(PriorityTest, DropNewestGivesUpWhatComesUnlessSomethingLowerWaits) {
  fill(normal, normal, high);
  accept_with(normal, 5);
  accept_with(low, 6);
  EXPECT_EQ(ledger().dropped_for(DropReason::queue_full), 2U);
  EXPECT_EQ(next(), (Numbers{4, 2, 3})) << "and high goes first";
}

TEST_F(PriorityTest, DropOldestNeverGivesUpWhatMattersMore) {
  config.when_full = WhenFull::drop_oldest;
  fill(high, high, high);
  accept_with(normal, 5);
  EXPECT_EQ(ledger().dropped_for(DropReason::queue_full), 1U);
  accept_with(high, 6);
  EXPECT_EQ(ledger().dropped_for(DropReason::evicted), 1U);
  EXPECT_EQ(next(), (Numbers{3, 4, 6}));
}

TEST_F(PriorityTest, WithOrderByKeyItDecidesWhoGivesWayAndNotWhoGoesFirst) {
  config.ordering = Ordering::key;
  fill(normal, low, high);
  accept_with(high, 5);
  EXPECT_EQ(ledger().dropped_for(DropReason::evicted), 1U);
  EXPECT_EQ(next(), (Numbers{2, 4, 5}));
}

TEST_F(PriorityTest, AShareOfTheEventsIsKeptBySampling) {
  config.sample_rate = 0.1;
  config.queue_events_max = 100'000;
  build();
  for (std::uint64_t n = 0; n < 200; ++n) {
    accept_with(normal, n);
  }
  const std::uint64_t kept = 200 - ledger().dropped_for(DropReason::sampled);
  EXPECT_GE(kept, 5U);
  EXPECT_LE(kept, 45U);
  EXPECT_EQ(ledger().lost(), 0U) << "what was asked for is no loss";
}

}  // namespace
}  // namespace outrider::sidecar
