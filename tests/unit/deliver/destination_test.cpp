// How a destination queues, batches and stops; its failures are in failures_test.cpp, its order and
// priorities in ordering_test.cpp, what a bulk answer says of each event in items_test.cpp.

#include <algorithm>
#include <map>

#include "support/verdicts.hpp"
#include "unit/deliver/destination_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::numbered_record;

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

TEST_F(DestinationTest, TheBatchOfASingleEventHasTheEventsId) {
  build();
  accept(7, 7);
  turn();
  EXPECT_EQ(transport->started[0].batch_id, "00000000-0000-0000-0000-000000000007");
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
  test::send_in_part(completion, 3, 2, 1);
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
  config.concurrency_min = 2;
  build();
  accept(1, 3);
  turn();
  transport->fail();
  turn();
  accept(4, 4);
  destination->begin_flush(clock.now());
  turn();
  ASSERT_EQ(transport->open.size(), 2U);
  transport->fail();
  transport->fail();
  turn();
  EXPECT_LE(destination->next_deadline(), clock.now().mono + 1s);
  drain();
  EXPECT_EQ(ledger().delivered, 4U);
}

TEST_F(DestinationTest, AnEventThatIsLargerThanABodyMayBeIsDeadWithoutARequest) {
  config.body_bytes_max = 10;
  build();
  accept(1, 2);
  turn();
  EXPECT_EQ(ledger().dead_total(), 2U);
  EXPECT_EQ(log.count("reason=too_large"), 1);
  EXPECT_TRUE(transport->started.empty());
}

TEST_F(DestinationTest, OneTurnMakesAFewBatchesAndThenOthersHaveTheirs) {
  config.batch_events_max = 1;
  config.body_bytes_max = 10;
  build();
  accept(1, 100);
  EXPECT_LE(destination->do_work(clock.now()), 4);
  EXPECT_LE(destination->next_deadline(), clock.now().mono) << "and goes on at once";
  turn();
  EXPECT_EQ(ledger().dead_total(), 100U);
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

TEST_F(DestinationTest, WhatTheTransportStillHoldsAtTheEndIsNotDelivered) {
  build();
  accept(1, 3);
  turn();
  transport->answer(200);
  turn();
  transport->still_held = 2;
  EXPECT_FALSE(destination->is_drained());
  EXPECT_EQ(destination->next_deadline(), never) << "only a stop waits for it";
  destination->begin_flush(clock.now());
  EXPECT_LE(destination->next_deadline(), clock.now().mono);
  turn();
  EXPECT_GT(destination->next_deadline(), clock.now().mono);
  EXPECT_LT(destination->next_deadline(), clock.now().mono + std::chrono::milliseconds(20));
  destination->abandon(clock.now());
  EXPECT_EQ(ledger().delivered, 1U);
  EXPECT_EQ(ledger().dropped_for(DropReason::linger), 2U);
  EXPECT_TRUE(ledger().is_balanced());
}

TEST_F(DestinationTest, AnIdleDestinationWantsNothing) {
  build();
  EXPECT_EQ(destination->next_deadline(), never);
  accept(1, 1);
  turn();
  EXPECT_EQ(destination->next_deadline(), never) << "only an answer can change anything";
}

TEST_F(DestinationTest, AfterAnOutageSlowAnswersToSmallBatchesLiftTheLimitToo) {
  config.concurrency_max = 16;
  config.batch_events_max = 1000;
  config.breaker_failures = 1;
  build();
  accept(1, 1);
  turn();
  transport->fail();
  turn();
  sleep_until_due();
  transport->answer(200);
  turn();
  ASSERT_EQ(destination->pacer().concurrency_limit(), 1U);
  std::map<AttemptId, MonoTime> answer_at;
  transport->on_start = [&](const test::SeenAttempt& attempt, const Now& now) {
    answer_at[attempt.id] = now.mono + 10s;
  };
  std::uint64_t number = 1;
  const MonoTime end = clock.now().mono + 80s;
  while (clock.now().mono < end) {
    clock.advance(25ms);
    ++number;
    accept(number, number);
    while (!transport->open.empty() &&
           answer_at.at(transport->open.begin()->first) <= clock.now().mono) {
      transport->answer(200);
    }
    turn();
  }
  EXPECT_GE(destination->pacer().concurrency_limit(), 8U);
  drain();
}

TEST_F(DestinationTest, WhatBecameDueWithoutATurnWasHeldBackToo) {
  config.concurrency_max = 16;
  config.batch_events_max = 1000;
  config.breaker_failures = 1;
  build();
  accept(1, 1);
  turn();
  transport->fail();
  turn();
  sleep_until_due();
  transport->answer(200);
  turn();
  accept(2, 2);
  turn();
  ASSERT_EQ(transport->open.size(), 1U);
  accept(3, 3);
  turn();
  clock.advance(10s);
  transport->answer(200);
  turn();
  EXPECT_EQ(destination->pacer().concurrency_limit(), 2U);
  drain();
}

TEST_F(DestinationTest, QuickRefusalsDoNotMakeTheReceiverLookBusy) {
  config.concurrency_max = 16;
  build();
  std::uint64_t number = 0;
  const auto round = [&](int status, Duration latency) {
    accept(number + 1, number + 60), number += 60;
    turn();
    clock.advance(latency);
    for (std::size_t open = transport->open.size(); open > 0; --open) transport->answer(status);
    destination->do_work(clock.now());
  };
  for (int i = 0; i < 20; ++i) round(400, 1ms), clock.advance(30ms);
  for (int i = 0; i < 20; ++i) round(200, 100ms);
  EXPECT_EQ(destination->pacer().concurrency_limit(), 16U);
  drain();
}

}  // namespace
}  // namespace outrider::sidecar
