#include "sidecar/deliver/destination.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/fake_transport.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"
#include "support/numbered_record.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::numbered_record;

class DestinationTest : public ::testing::Test {
 protected:
  DestinationTest() {
    config.name = "audit";
    config.format = BodyFormat::ndjson;
    config.concurrency_max = 2;
    config.batch_events_max = 3;
    config.retry_initial = 1s;
  }

  void TearDown() override {
    if (destination) {
      EXPECT_TRUE(destination->ledger().is_balanced());
    }
  }

  void build() {
    auto owned = std::make_unique<test::FakeTransport>();
    transport = owned.get();
    destination =
        std::make_unique<Destination>(config, make_encoder({.format = "ndjson"}), std::move(owned), log, 1);
  }
  void accept(std::uint64_t first, std::uint64_t last, std::uint64_t ttl_ms = 0) {
    for (std::uint64_t i = first; i <= last; ++i) {
      destination->accept(
          numbered_record({.number = i, .time_ns = clock.now().wall_ns(), .ttl_ms = ttl_ms}),
          clock.now());
    }
  }
  void turn() {
    while (destination->do_work(clock.now()) > 0) {
      EXPECT_TRUE(destination->ledger().is_balanced());
    }
  }
  /// Advances to the next deadline; that is how the run loop sleeps.
  void sleep_until_due() {
    const MonoTime deadline = destination->next_deadline();
    ASSERT_NE(deadline, never);
    if (deadline > clock.now().mono) clock.advance(deadline - clock.now().mono);
    turn();
  }
  /// The numbers of the events in a body.
  static std::vector<int> numbers(const std::string& body) {
    std::vector<int> found;
    for (std::size_t at = 0; (at = body.find("\"n\":", at)) != std::string::npos; at += 4) {
      found.push_back(std::stoi(body.substr(at + 4)));
    }
    return found;
  }
  std::vector<int> sent(std::size_t attempt) const {
    return numbers(transport->started.at(attempt).body);
  }
  const Ledger& ledger() const { return destination->ledger(); }

  DestinationConfig config;
  test::ManualClock clock;
  test::MemoryLog log;
  test::FakeTransport* transport = nullptr;
  std::unique_ptr<Destination> destination;
};

using Numbers = std::vector<int>;

TEST_F(DestinationTest, SendsAtOnceWhenIdleAndGathersWhileARequestIsInFlight) {
  build();
  accept(1, 1);
  turn();
  ASSERT_EQ(transport->started.size(), 1U);
  EXPECT_EQ(sent(0), Numbers{1});

  accept(2, 3);
  turn();
  EXPECT_EQ(transport->started.size(), 1U) << "two events are gathered";
  accept(4, 4);
  turn();
  ASSERT_EQ(transport->started.size(), 2U) << "a full batch uses the second place";
  EXPECT_EQ(sent(1), (Numbers{2, 3, 4}));

  accept(5, 5);
  transport->answer(200);
  transport->answer(200);
  turn();
  EXPECT_EQ(sent(2), Numbers{5});
  EXPECT_EQ(ledger().delivered, 4U);
  EXPECT_EQ(ledger().in_flight, 1U);
}

TEST_F(DestinationTest, APartBatchLeavesAfterTheBatchDelay) {
  config.batch_delay = 200ms;
  build();
  accept(1, 1);
  turn();
  accept(2, 2);
  turn();
  EXPECT_EQ(destination->next_deadline(), clock.now().mono + 200ms);
  clock.advance(200ms);
  turn();
  ASSERT_EQ(transport->started.size(), 2U);
  EXPECT_EQ(sent(1), Numbers{2});
}

TEST_F(DestinationTest, ABodyNeverExceedsItsBytes) {
  config.batch_events_max = 100;
  config.concurrency_max = 1;
  build();
  accept(1, 1);
  turn();
  const std::size_t one = transport->started[0].body.size();
  config.batch_bytes_max = 2 * one + 1;
  build();
  accept(1, 5);
  for (int i = 0; i < 3; ++i) {
    turn();
    transport->answer(200);
  }
  turn();
  EXPECT_EQ(sent(0), (Numbers{1, 2}));
  EXPECT_EQ(sent(1), (Numbers{3, 4}));
  EXPECT_EQ(sent(2), Numbers{5});
  EXPECT_EQ(ledger().delivered, 5U);
}

TEST_F(DestinationTest, AnEventLargerThanTheBodyLimitIsSentAlone) {
  config.batch_bytes_max = 10;
  build();
  accept(1, 1);
  turn();
  EXPECT_EQ(sent(0), Numbers{1});
}

TEST_F(DestinationTest, DropsTheNewestAtTheHighWaterMark) {
  config.queue_events_max = 3;
  config.concurrency_max = 1;
  build();
  accept(1, 1);
  turn();
  accept(2, 5);
  EXPECT_EQ(ledger().dropped_for(DropReason::queue_full), 2U) << "the one in flight counts";
  transport->answer(200);
  turn();
  EXPECT_EQ(sent(1), (Numbers{2, 3}));
}

TEST_F(DestinationTest, DropsTheOldestAtTheHighWaterMark) {
  config.queue_events_max = 3;
  config.concurrency_max = 1;
  config.when_full = WhenFull::drop_oldest;
  build();
  accept(1, 1);
  turn();
  accept(2, 5);
  EXPECT_EQ(ledger().dropped_for(DropReason::evicted), 2U);
  transport->answer(200);
  turn();
  EXPECT_EQ(sent(1), (Numbers{4, 5}));
}

TEST_F(DestinationTest, WithEverythingInFlightEvenDropOldestDropsTheNewest) {
  config.queue_events_max = 1;
  config.when_full = WhenFull::drop_oldest;
  build();
  accept(1, 1);
  turn();
  accept(2, 2);
  EXPECT_EQ(ledger().dropped_for(DropReason::queue_full), 1U);
}

TEST_F(DestinationTest, AFailedBatchIsTriedAgainWithTheSameIdAndBody) {
  build();
  accept(1, 1);
  turn();
  transport->fail();
  turn();
  EXPECT_EQ(transport->started.size(), 1U) << "not at once";
  EXPECT_EQ(ledger().queued, 1U);
  sleep_until_due();
  ASSERT_EQ(transport->started.size(), 2U);
  EXPECT_EQ(transport->started[1].batch_id, transport->started[0].batch_id);
  EXPECT_EQ(transport->started[1].body, transport->started[0].body);
  transport->answer(204);
  turn();
  EXPECT_EQ(ledger().delivered, 1U);
  EXPECT_EQ(log.count("warn destination fails"), 1);
  EXPECT_EQ(log.count("info destination recovered"), 1);
}

TEST_F(DestinationTest, TheBatchOfASingleEventHasTheEventsId) {
  build();
  accept(7, 7);
  turn();
  EXPECT_EQ(transport->started[0].batch_id, "00000000-0000-0000-0000-000000000007");
}

TEST_F(DestinationTest, AnOutageIsProbedByOneRequestAndToldOnce) {
  build();
  accept(1, 6);
  turn();
  EXPECT_EQ(transport->open.size(), 2U);
  transport->fail();
  transport->fail();
  turn();
  for (int i = 0; i < 10; ++i) {
    sleep_until_due();
    ASSERT_EQ(transport->open.size(), 1U) << "one probe at a time";
    transport->fail();
    turn();
  }
  EXPECT_EQ(log.count("destination fails"), 1);
  sleep_until_due();
  transport->answer(200);
  turn();
  EXPECT_EQ(transport->open.size(), 1U) << "what waited is due at once when it is back";
  transport->answer(200);
  turn();
  EXPECT_EQ(ledger().delivered, 6U);
}

TEST_F(DestinationTest, RetryAfterPausesTheWholeDestination) {
  build();
  accept(1, 3);
  turn();
  transport->answer(503, Duration(60s));
  turn();
  accept(4, 6);
  turn();
  EXPECT_EQ(destination->next_deadline(), clock.now().mono + 60s);
  clock.advance(60s - 1ms);
  turn();
  EXPECT_EQ(transport->started.size(), 1U);
  clock.advance(1ms);
  turn();
  EXPECT_EQ(transport->started.size(), 2U);
}

TEST_F(DestinationTest, ABatchThatAlwaysFailsIsNotHammeredWhileOthersSucceed) {
  config.batch_events_max = 1;
  config.concurrency_max = 4;
  build();
  int poison_attempts = 0;
  for (std::uint64_t n = 1; n <= 3000; ++n) {
    accept(n, n);
    turn();
    while (!transport->open.empty()) {
      const bool is_poison = numbers(transport->open.begin()->second.body) == Numbers{7};
      poison_attempts += is_poison ? 1 : 0;
      transport->answer(is_poison ? 500 : 200);
      turn();
    }
    clock.advance(10ms);
  }
  EXPECT_LE(poison_attempts, 20) << "in 30 s, with a backoff that doubles from 1 s";
  EXPECT_GE(ledger().delivered, 2500U);
  EXPECT_LE(log.count("destination fails"), 4);
  for (int i = 0; i < 100 && !destination->is_drained(); ++i) {
    sleep_until_due();
    while (!transport->open.empty()) transport->answer(200), turn();
  }
  EXPECT_EQ(ledger().delivered, 3000U);
}

TEST_F(DestinationTest, GivesUpAfterTheConfiguredAttempts) {
  config.retry_attempts_max = 3;
  build();
  accept(1, 2);
  for (int i = 0; i < 3; ++i) {
    sleep_until_due();
    transport->answer(500);
    turn();
  }
  EXPECT_EQ(ledger().dead, 2U);
  EXPECT_EQ(log.count("reason=attempts"), 1);
  EXPECT_TRUE(destination->is_drained());
}

TEST_F(DestinationTest, GivesUpWhenTooOld) {
  config.retry_age_max = 1h;
  build();
  accept(1, 1);
  turn();
  clock.advance(1h);
  transport->answer(500);
  turn();
  EXPECT_EQ(ledger().dead, 1U);
  EXPECT_EQ(log.count("reason=age"), 1);
}

TEST_F(DestinationTest, ARefusedBatchIsDeadAndTheNextOneGoesOut) {
  build();
  accept(1, 2);
  turn();
  transport->answer(400);
  turn();
  EXPECT_EQ(ledger().dead, 2U);
  EXPECT_EQ(log.count("error dead letters destination=audit reason=refused events=2 status=400"),
            1);
  accept(3, 3);
  turn();
  transport->answer(200);
  turn();
  EXPECT_EQ(ledger().delivered, 1U);
}

TEST_F(DestinationTest, DeadLettersAreToldNowAndThenNotOneByOne) {
  config.batch_events_max = 1;
  build();
  for (std::uint64_t i = 0; i < 100; ++i) {
    accept(i, i);
    turn();
    transport->answer(400);
    turn();
  }
  EXPECT_EQ(ledger().dead, 100U);
  EXPECT_EQ(log.count("dead letters"), 1);
}

TEST_F(DestinationTest, TooLargeABatchIsBisectedUntilTheOneEventIsFound) {
  config.batch_events_max = 8;
  build();
  accept(1, 8);
  turn();
  for (int i = 0; i < 100 && !destination->is_drained(); ++i) {
    const auto contents = numbers(transport->open.begin()->second.body);
    const bool has_poison = std::ranges::find(contents, 6) != contents.end();
    transport->answer(has_poison ? 413 : 200);
    turn();
  }
  EXPECT_EQ(ledger().dead, 1U);
  EXPECT_EQ(ledger().delivered, 7U);
  EXPECT_EQ(log.count("reason=too_large"), 1);
}

TEST_F(DestinationTest, RefusedCredentialsHoldEverything) {
  config.retry_attempts_max = 2;
  config.retry_age_max = 1s;
  build();
  accept(1, 3);
  for (int i = 0; i < 10; ++i) {
    sleep_until_due();
    ASSERT_EQ(transport->open.size(), 1U);
    transport->answer(401);
    turn();
  }
  EXPECT_EQ(ledger().dead, 0U);
  EXPECT_EQ(ledger().queued, 3U);
  EXPECT_EQ(log.count("error destination refuses our credentials"), 1);
  sleep_until_due();
  transport->answer(200);
  turn();
  EXPECT_EQ(ledger().delivered, 3U);
}

TEST_F(DestinationTest, AGoneDestinationIsDisabledAndEverythingForItIsDead) {
  config.concurrency_max = 1;
  build();
  accept(1, 5);
  turn();
  transport->answer(410);
  turn();
  EXPECT_EQ(ledger().dead, 5U);
  accept(6, 6);
  turn();
  EXPECT_EQ(ledger().dead, 6U);
  EXPECT_EQ(transport->started.size(), 1U);
  EXPECT_EQ(destination->next_deadline(), never);
  EXPECT_EQ(log.count("error destination is gone"), 1);
}

TEST_F(DestinationTest, WhatIsInFlightWhenTheDestinationIsGoneIsDeadToo) {
  config.concurrency_max = 3;
  build();
  accept(1, 9);
  turn();
  ASSERT_EQ(transport->open.size(), 3U);
  transport->answer(410);
  turn();
  transport->answer(503);
  transport->answer(200);
  turn();
  EXPECT_EQ(ledger().delivered, 3U);
  EXPECT_EQ(ledger().dead, 6U);
  EXPECT_TRUE(destination->is_drained());
}

TEST_F(DestinationTest, RefusedCredentialsAreToldThoughItWasFailingBefore) {
  build();
  accept(1, 1);
  turn();
  transport->fail();
  turn();
  sleep_until_due();
  transport->answer(403);
  turn();
  EXPECT_EQ(log.count("error destination refuses our credentials"), 1);
}

TEST_F(DestinationTest, NothingIsEvictedForAnEventThatCannotFit) {
  config.when_full = WhenFull::drop_oldest;
  config.concurrency_max = 1;
  config.queue_bytes_max = 2 * numbered_record().size();
  build();
  accept(1, 1);
  turn();
  accept(2, 2);
  const std::string topic(200, 't');
  destination->accept(numbered_record({.topic = topic}), clock.now());
  EXPECT_EQ(ledger().dropped_for(DropReason::evicted), 0U);
  EXPECT_EQ(ledger().dropped_for(DropReason::queue_full), 1U);
}

TEST_F(DestinationTest, ExpiredEventsAreNotSent) {
  config.concurrency_max = 1;
  build();
  accept(1, 1);
  turn();
  accept(2, 2, 100);
  accept(3, 3);
  clock.advance(100ms);
  transport->answer(200);
  turn();
  EXPECT_EQ(sent(1), Numbers{3});
  EXPECT_EQ(ledger().dropped_for(DropReason::expired), 1U);
}

TEST_F(DestinationTest, EventsThatExpireWhileTheyWaitForTheNextAttemptAreNotSentEither) {
  build();
  accept(1, 1, 100);
  accept(2, 2);
  accept(3, 3, 100);
  turn();
  transport->answer(503, Duration(1s));
  turn();
  sleep_until_due();
  EXPECT_EQ(sent(1), Numbers{2});
  EXPECT_EQ(ledger().dropped_for(DropReason::expired), 2U);
  transport->answer(200);
  turn();
  EXPECT_TRUE(destination->is_drained());
}

TEST_F(DestinationTest, WhatAPeerDidNotTakeIsSentAgainAndOnlyThat) {
  build();
  accept(1, 3);
  turn();
  Completion completion;
  completion.id = transport->open.begin()->first;
  completion.result = AttemptResult::sent_some;
  completion.events_sent = 2;
  completion.events_lost = 1;
  transport->complete(completion);
  turn();
  EXPECT_EQ(ledger().delivered, 1U);
  EXPECT_EQ(ledger().dropped_for(DropReason::subscriber_full), 1U);
  sleep_until_due();
  EXPECT_EQ(sent(1), Numbers{3});
}

TEST_F(DestinationTest, FlushingSendsEverythingWithoutGatheringOrLongPauses) {
  config.retry_initial = 1h;
  config.retry_max = 1h;
  build();
  accept(1, 3);
  turn();
  transport->fail();
  turn();
  accept(4, 4);
  destination->begin_flush(clock.now());
  turn();
  ASSERT_EQ(transport->open.size(), 1U);
  transport->fail();
  turn();
  EXPECT_LE(destination->next_deadline(), clock.now().mono + 1s);
  sleep_until_due();
  transport->answer(200);
  turn();
  transport->answer(200);
  turn();
  EXPECT_TRUE(destination->is_drained());
  EXPECT_EQ(ledger().delivered, 4U);
}

TEST_F(DestinationTest, AbandoningCountsWhatIsLeftAndWhatCameInAtTheLastMoment) {
  config.concurrency_max = 2;
  build();
  accept(1, 3);
  turn();
  accept(4, 6);
  turn();
  accept(7, 8);
  turn();
  transport->answer(200);  // not collected yet
  destination->abandon(clock.now());
  EXPECT_EQ(ledger().delivered, 3U);
  EXPECT_EQ(ledger().dropped_for(DropReason::linger), 5U);
  EXPECT_EQ(transport->cancelled, 1);
  EXPECT_TRUE(destination->is_drained());
}

TEST_F(DestinationTest, AnIdleDestinationWantsNothing) {
  build();
  EXPECT_EQ(destination->next_deadline(), never);
  accept(1, 1);
  turn();
  EXPECT_EQ(destination->next_deadline(), never) << "only an answer can change anything";
}

}  // namespace
}  // namespace outrider::sidecar
