// Who gives way in a full memory, wherever it waits.

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "sidecar/base/random.hpp"
#include "unit/deliver/destination_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr auto low = proto::Priority::low;
constexpr auto normal = proto::Priority::normal;
constexpr auto high = proto::Priority::high;

class GiveWayTest : public DestinationFixture {
 protected:
  GiveWayTest() {
    config.concurrency_min = config.concurrency_max = 1;
    config.when_full = WhenFull::drop_newest;
    config.queue_events_max = 6;
    config.batch_events_max = 3;
    config.breaker_failures = 0;
    config.retry_initial = config.retry_max = 100s;
  }
  void accept_all(std::uint64_t first, std::uint64_t last, proto::Priority priority,
                  std::string_view key = "") {
    for (std::uint64_t n = first; n <= last; ++n) {
      destination->accept(test::numbered_record({.number = n, .key = key, .priority = priority}),
                          clock.now());
    }
  }
  /// All that is there is sent, fails and waits.
  void fail_all() {
    for (turn(); !transport->open.empty(); turn()) transport->fail();
  }
  Numbers sent_from(std::size_t first) const {
    Numbers all;
    for (std::size_t i = first; i < transport->started.size(); ++i) {
      const Numbers batch = sent(i);
      all.insert(all.end(), batch.begin(), batch.end());
    }
    std::ranges::sort(all);
    return all;
  }
  std::uint64_t dropped(DropReason reason) const { return ledger().dropped_for(reason); }
};

TEST_F(GiveWayTest, WhatWaitsForItsNextAttemptGivesWayToWhatMattersMore) {
  for (const WhenFull when_full : {WhenFull::drop_newest, WhenFull::drop_oldest}) {
    config.when_full = when_full;
    build();
    accept_all(1, 6, low);
    fail_all();
    ASSERT_EQ(ledger().queued, 6U);
    accept_all(10, 13, high);
    EXPECT_EQ(dropped(DropReason::evicted), 4U);
    EXPECT_EQ(dropped(DropReason::queue_full), 0U);
    const std::size_t first = transport->started.size();
    drain();
    EXPECT_EQ(sent_from(first), (Numbers{5, 6, 10, 11, 12, 13}));
  }
}

TEST_F(GiveWayTest, ABatchThatLostEventsIsAnotherOneAndOneThatDidNotIsTheSame) {
  config.when_full = WhenFull::drop_oldest;
  build();
  accept_all(1, 6, normal);
  fail_all();
  ASSERT_EQ(transport->started.size(), 2U);
  accept_all(7, 7, normal);
  EXPECT_EQ(dropped(DropReason::evicted), 1U);
  drain();
  ASSERT_EQ(transport->started.size(), 5U);
  const auto& started = transport->started;
  std::vector<std::string> ids;
  for (std::size_t i = 2; i < 5; ++i) {
    if (sent(i) == (Numbers{2, 3})) {
      EXPECT_NE(started[i].batch_id, started[0].batch_id);
    } else if (sent(i) == (Numbers{4, 5, 6})) {
      EXPECT_EQ(started[i].batch_id, started[1].batch_id);
    } else {
      EXPECT_EQ(sent(i), Numbers{7});
    }
  }
}

TEST_F(GiveWayTest, WhatIsSetAsideForItsKeyGivesWayAndTheOrderHolds) {
  config.ordering = Ordering::key;
  config.batch_events_max = 1;
  build();
  accept_all(1, 3, normal, "k");
  accept_all(4, 6, low, "k");
  turn();
  ASSERT_EQ(transport->open.size(), 1U);
  turn();
  accept_all(10, 12, normal, "z");
  EXPECT_EQ(dropped(DropReason::evicted), 3U);
  accept_all(13, 13, normal, "z");
  EXPECT_EQ(dropped(DropReason::queue_full), 1U);
  accept_all(14, 15, high, "y");
  EXPECT_EQ(dropped(DropReason::evicted), 5U);
  drain();
  EXPECT_EQ(sent_from(0), (Numbers{1, 10, 11, 12, 14, 15}));
}

TEST_F(GiveWayTest, WhatFollowsGivesWayToo) {
  config.ordering = Ordering::key;
  build();
  accept_all(1, 3, low, "k");
  turn();
  transport->answer(413);
  turn();
  transport->fail();
  turn();
  ASSERT_EQ(ledger().queued, 3U) << "the first one, and two that follow it";
  accept_all(10, 15, high);
  EXPECT_EQ(dropped(DropReason::evicted), 3U);
  const std::size_t first = transport->started.size();
  drain();
  EXPECT_EQ(sent_from(first), (Numbers{10, 11, 12, 13, 14, 15}));
}

TEST_F(GiveWayTest, WhatIsInARequestNeverDoes) {
  config.when_full = WhenFull::drop_oldest;
  config.batch_events_max = 6;
  build();
  accept_all(1, 6, low);
  turn();
  ASSERT_EQ(ledger().in_flight, 6U);
  accept_all(7, 7, high);
  EXPECT_EQ(dropped(DropReason::queue_full), 1U);
  drain();
}

/// With nothing in flight, those are kept that matter most, and of those that matter as much the
/// first, or with drop_oldest the last.
TEST_F(GiveWayTest, WhatMattersMostIsKeptWhereverItWaits) {
  config.retry_initial = 10ms;
  config.retry_max = 1s;
  config.retry_share_max = 1;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    config.queue_events_max = 1 + random.below(30);
    config.batch_events_max = 1 + random.below(20);
    config.ordering = random.chance(0.5) ? Ordering::key : Ordering::none;
    config.when_full = random.chance(0.5) ? WhenFull::drop_newest : WhenFull::drop_oldest;
    build();
    std::array<Numbers, 3> came;
    for (int n = 1; n <= 200; ++n) {
      const auto priority = static_cast<proto::Priority>(random.below(3));
      const std::string key(random.below(2), static_cast<char>('a' + random.below(4)));
      came[static_cast<std::size_t>(priority)].push_back(n);
      accept_all(static_cast<std::uint64_t>(n), static_cast<std::uint64_t>(n), priority, key);
      ASSERT_LE(ledger().queued, config.queue_events_max);
      if (random.chance(0.3)) {
        clock.advance(std::chrono::milliseconds(random.below(500)));
        turn();
        while (!transport->open.empty()) {
          const bool is_too_large = numbers(transport->open.begin()->second.body).size() > 1;
          is_too_large&& random.chance(0.2) ? transport->answer(413) : transport->fail();
          destination->do_work(clock.now());
        }
      }
      ASSERT_TRUE(ledger().is_balanced());
    }
    std::array<std::size_t, 3> expected{};
    std::size_t room = config.queue_events_max;
    for (std::size_t priority = 3; priority-- > 0;) {
      expected[priority] = std::min(room, came[priority].size());
      room -= expected[priority];
    }
    const std::size_t first = transport->started.size();
    drain();
    const Numbers kept = sent_from(first);
    for (std::size_t priority = 0; priority < 3; ++priority) {
      Numbers of_it;
      std::ranges::set_intersection(kept, came[priority], std::back_inserter(of_it));
      EXPECT_EQ(of_it.size(), expected[priority]) << "seed " << seed;
    }
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace outrider::sidecar
