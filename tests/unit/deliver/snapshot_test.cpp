// The numbers that a destination tells of itself, and the pause that a person asks for.
#include "sidecar/observe/snapshot.hpp"

#include <gtest/gtest.h>

#include "sidecar/observe/time_to_loss.hpp"
#include "unit/deliver/destination_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class DestinationSnapshotTest : public DestinationFixture {
 protected:
  DestinationSnapshotTest() { config.concurrency_max = 1; }

  DestinationSnapshot snapshot() { return destination->snapshot(clock.now()); }
  std::uint64_t requests(StatusClass status_class) {
    return snapshot().requests[static_cast<std::size_t>(status_class)];
  }
  void open_breaker() {
    accept(1, 1);
    turn();
    for (int i = 0; i < 100 && !destination->pacer().is_open(); ++i) {
      if (transport->open.empty()) sleep_until_due();
      if (!transport->open.empty()) transport->fail("connection refused"), turn();
    }
    ASSERT_TRUE(destination->pacer().is_open());
  }
};

TEST_F(DestinationSnapshotTest, SaysWhatItIsAndHolds) {
  config.queue_events_max = 10;
  build();
  accept(1, 5);
  turn();
  const DestinationSnapshot it = snapshot();
  EXPECT_EQ(it.name, "audit");
  EXPECT_EQ(it.type, "http");
  EXPECT_EQ(it.ledger.queued, 2U);
  EXPECT_EQ(it.ledger.in_flight, 3U);
  EXPECT_EQ(it.requests_in_flight, 1U);
  EXPECT_EQ(it.concurrency_limit, 1U);
  EXPECT_EQ(it.queue_events_max, 10U);
  EXPECT_GT(it.queue_bytes, 0U);
  EXPECT_EQ(it.breaker, BreakerState::closed);
  EXPECT_FALSE(it.open_for);
  EXPECT_FALSE(it.pause);
  drain();
  EXPECT_EQ(snapshot().queue_bytes, 0U);
}

TEST_F(DestinationSnapshotTest, CountsRequestsByTheirAnswersAndRetries) {
  build();
  accept(1, 1);
  turn();
  transport->answer(503);
  turn();
  sleep_until_due();
  transport->fail("connection refused");
  turn();
  EXPECT_EQ(snapshot().last_failure, "connection refused");
  EXPECT_EQ(snapshot().last_answer, "") << "that was an earlier attempt's";
  sleep_until_due();
  clock.advance(30ms);
  transport->answer(204);
  turn();
  EXPECT_EQ(requests(StatusClass::server), 1U);
  EXPECT_EQ(requests(StatusClass::none), 1U);
  EXPECT_EQ(requests(StatusClass::success), 1U);
  EXPECT_EQ(snapshot().retries, 2U);
  EXPECT_EQ(snapshot().request_time.total(), 2U) << "of those that were answered";
  accept(2, 2);
  turn();
  transport->answer_in_words(400, "no such card");
  turn();
  EXPECT_EQ(snapshot().last_failure, "400");
  EXPECT_EQ(snapshot().last_answer, "no such card");
  EXPECT_EQ(snapshot().retries, 2U);
}

TEST_F(DestinationSnapshotTest, WhatIsHandedOverWithoutAnAnswerIsASuccess) {
  build();
  accept(1, 1);
  turn();
  Completion sent;
  sent.id = transport->open.begin()->first;
  sent.result = AttemptResult::sent;
  transport->complete(sent);
  turn();
  EXPECT_EQ(requests(StatusClass::success), 1U);
}

TEST_F(DestinationSnapshotTest, AnEventsTimeRunsFromItsAcceptanceOverAllAttempts) {
  build();
  accept(1, 1);
  turn();
  clock.advance(400ms);
  transport->answer(200);
  turn();
  EXPECT_EQ(snapshot().settle_time.counts[3], 1U) << "within 500 ms";
  accept(2, 4);
  turn();
  transport->answer(503);
  turn();
  clock.advance(20s);
  turn();
  transport->answer(200);
  turn();
  const DestinationSnapshot it = snapshot();
  EXPECT_EQ(it.settle_time.counts[6], 3U) << "within 60 s";
  EXPECT_EQ(it.settle_time.total(), it.ledger.delivered);
  EXPECT_NEAR(it.settle_time.sum.count(), 60.4, 0.01);
}

TEST_F(DestinationSnapshotTest, TheOldestIsTheOldestWhereverItWaits) {
  build();
  EXPECT_FALSE(snapshot().oldest_age);
  accept(1, 1);
  turn();
  clock.advance(2s);
  accept(2, 2);
  EXPECT_EQ(snapshot().oldest_age, Duration(2s)) << "in flight";
  transport->answer(503);
  turn();
  clock.advance(1ms);
  EXPECT_EQ(snapshot().oldest_age, Duration(2s + 1ms)) << "it waits for another attempt";
  drain();
  EXPECT_FALSE(snapshot().oldest_age);
}

TEST_F(DestinationSnapshotTest, WithOrderByKeyTheOldestIsKnownToo) {
  config.ordering = Ordering::key;
  config.batch_events_max = 1;
  config.concurrency_min = config.concurrency_max = 2;
  build();
  accept_keyed("a", 1);
  turn();
  clock.advance(1s);
  accept_keyed("a", 2);
  turn();
  EXPECT_EQ(snapshot().oldest_age, Duration(1s));
  destination->pause(Duration::zero(), "somebody", clock.now());
  transport->answer(200);
  turn();
  clock.advance(1s);
  EXPECT_EQ(snapshot().oldest_age, Duration(1s)) << "it was set aside, and is free to go";
  destination->resume("somebody", clock.now());
  turn();
  transport->answer(200);
  turn();
  EXPECT_EQ(snapshot().settle_time.sum.count(), 2.0);
}

TEST_F(DestinationSnapshotTest, FollowsTheBreaker) {
  build();
  open_breaker();
  EXPECT_EQ(snapshot().breaker, BreakerState::open);
  EXPECT_EQ(snapshot().breaker_openings, 1U);
  clock.advance(1ms);
  EXPECT_EQ(snapshot().open_for, Duration(1ms));
  sleep_until_due();
  EXPECT_EQ(snapshot().breaker, BreakerState::half_open) << "a probe is under way";
  transport->fail();
  turn();
  EXPECT_EQ(snapshot().breaker, BreakerState::open);
  EXPECT_EQ(snapshot().breaker_openings, 1U) << "it had not closed";
  sleep_until_due();
  transport->answer(200);
  turn();
  EXPECT_EQ(snapshot().breaker, BreakerState::closed);
  EXPECT_FALSE(snapshot().open_for);
}

TEST_F(DestinationSnapshotTest, TellsOfRetryAfterOfHeldCredentialsAndOfAReceiverThatIsGone) {
  build();
  accept(1, 3);
  turn();
  transport->answer(503, Duration(10s));
  turn();
  EXPECT_EQ(snapshot().paused_for, Duration(10s));
  sleep_until_due();
  EXPECT_FALSE(snapshot().paused_for);
  transport->answer(401);
  turn();
  EXPECT_TRUE(snapshot().is_held);
  sleep_until_due();
  transport->answer(200);
  turn();
  EXPECT_FALSE(snapshot().is_held);
  accept(4, 4);
  turn();
  transport->answer(410);
  turn();
  EXPECT_TRUE(snapshot().is_disabled);
}

TEST_F(DestinationSnapshotTest, WhatTheTransportHoldsIsInFlightAndDeliveredNeverFalls) {
  build();
  accept(1, 3);
  turn();
  Completion sent;
  sent.id = transport->open.begin()->first;
  sent.result = AttemptResult::sent;
  transport->still_held = 2;
  transport->complete(sent);
  turn();
  EXPECT_EQ(snapshot().ledger.delivered, 1U);
  EXPECT_EQ(snapshot().ledger.in_flight, 2U);
  EXPECT_TRUE(snapshot().ledger.is_balanced());
  transport->still_held = 1;
  EXPECT_EQ(snapshot().ledger.delivered, 2U);
  destination->abandon(clock.now());
  transport->still_held = 0;
  EXPECT_EQ(snapshot().ledger.delivered, 2U);
  EXPECT_EQ(snapshot().ledger.dropped_for(DropReason::linger), 1U);
  EXPECT_TRUE(snapshot().ledger.is_balanced());
}

// Time to loss ------------------------------------------------------------------------------------

TEST_F(DestinationSnapshotTest, WhileItCannotSendTheQueueFillsAtTheRateOfTheLastMinute) {
  config.queue_events_max = 1000;
  build();
  turn();
  EXPECT_FALSE(snapshot().time_to_loss) << "nothing arrives";
  open_breaker();
  for (int i = 0; i < 30; ++i) {
    clock.advance(1s);
    accept(1, 10);
    turn();
  }
  const DestinationSnapshot it = snapshot();
  EXPECT_NEAR(it.arrival_rate_per_s, 10, 5);
  ASSERT_TRUE(it.time_to_loss);
  EXPECT_EQ(it.time_to_loss->limit, LossLimit::queue_events);
  const double left = static_cast<double>(1000 - it.ledger.queued - it.ledger.in_flight);
  EXPECT_NEAR(std::chrono::duration<double>(it.time_to_loss->left).count(),
              left / it.arrival_rate_per_s, 0.01);
}

TEST_F(DestinationSnapshotTest, OfTwoLimitsTheOneThatIsReachedFirstCounts) {
  config.queue_events_max = 1'000'000;
  config.queue_bytes_max = 100'000;
  build();
  open_breaker();
  accept(1, 100);
  turn();
  ASSERT_TRUE(snapshot().time_to_loss);
  EXPECT_EQ(snapshot().time_to_loss->limit, LossLimit::queue_bytes);
}

TEST_F(DestinationSnapshotTest, WhatIsDeliveredAsFastAsItComesFillsNothing) {
  build();
  for (int i = 0; i < 30; ++i) {
    accept(1, 3);
    turn();
    clock.advance(1s);
    transport->answer(200);
    turn();
  }
  EXPECT_GT(snapshot().arrival_rate_per_s, 0);
  EXPECT_FALSE(snapshot().time_to_loss);
  destination->pause(Duration::zero(), "somebody", clock.now());
  EXPECT_TRUE(snapshot().time_to_loss) << "nothing leaves any more";
}

TEST_F(DestinationSnapshotTest, AReceiverThatIsTooSlowFillsTheQueueByTheDifference) {
  config.queue_events_max = 1000;
  build();
  for (int i = 0; i < 60; ++i) {
    accept(1, 6);
    turn();
    clock.advance(1s);
    transport->answer(200);
    turn();
  }
  const DestinationSnapshot it = snapshot();
  ASSERT_TRUE(it.time_to_loss);
  const double left = static_cast<double>(1000 - it.ledger.queued - it.ledger.in_flight);
  EXPECT_NEAR(std::chrono::duration<double>(it.time_to_loss->left).count(), left / 3, left / 10);
}

TEST_F(DestinationSnapshotTest, SampledOutEventsDoNotArrive) {
  config.sample_rate = 0.000001;
  build();
  accept(1, 500);
  turn();
  EXPECT_EQ(snapshot().arrival_rate_per_s, 0);
}

// Pause -------------------------------------------------------------------------------------------

class PauseTest : public DestinationSnapshotTest {
 protected:
  void pause(Duration duration = {}) {
    destination->pause(duration, "uid 1000", clock.now());
    turn();
  }
};

TEST_F(PauseTest, WhatIsInFlightEndsAndNothingNewIsSent) {
  build();
  accept(1, 3);
  turn();
  accept(4, 6);
  pause();
  transport->answer(200);
  turn();
  EXPECT_EQ(ledger().delivered, 3U);
  clock.advance(1h);
  turn();
  EXPECT_EQ(transport->started.size(), 1U);
  EXPECT_EQ(destination->next_deadline(), never) << "a pause costs no wake-up";
  EXPECT_EQ(ledger().queued, 3U);
  destination->resume("uid 1000", clock.now());
  turn();
  EXPECT_EQ(transport->started.size(), 2U);
  EXPECT_EQ(log.count("destination paused"), 1);
  EXPECT_EQ(log.count("destination resumed destination=audit because=uid 1000"), 1);
}

TEST_F(PauseTest, RetriesWaitToo) {
  build();
  accept(1, 1);
  turn();
  pause();
  transport->answer(503);
  turn();
  clock.advance(1h);
  turn();
  EXPECT_EQ(transport->started.size(), 1U);
  destination->resume("somebody", clock.now());
  turn();
  EXPECT_EQ(transport->started.size(), 2U);
}

TEST_F(PauseTest, OneWithADurationEndsByItselfAndIsShownUntilThen) {
  build();
  pause(60s);
  accept(1, 1);
  turn();
  const DestinationSnapshot it = snapshot();
  ASSERT_TRUE(it.pause);
  EXPECT_EQ(it.pause->who, "uid 1000");
  EXPECT_EQ(it.pause->since, clock.now().wall);
  EXPECT_EQ(it.pause->until, clock.now().wall + 60s);
  EXPECT_EQ(destination->next_deadline(), clock.now().mono + 60s);
  clock.advance(60s - 1ns);
  turn();
  EXPECT_TRUE(transport->started.empty());
  sleep_until_due();
  EXPECT_EQ(transport->started.size(), 1U);
  EXPECT_FALSE(snapshot().pause);
  EXPECT_EQ(log.count("destination resumed"), 1);
}

TEST_F(PauseTest, ItsTimeIsNoneOfTrying) {
  config.retry_age_max = 60s;
  build();
  accept(1, 1);
  turn();
  transport->answer(503);
  turn();
  pause(30s);
  clock.advance(20s);
  turn();
  pause(2h);
  clock.advance(2h);
  turn();
  ASSERT_EQ(transport->started.size(), 2U);
  transport->answer(503);
  turn();
  EXPECT_EQ(ledger().dead_total(), 0U);
  for (int i = 0; i < 20 && ledger().dead_total() == 0; ++i) {
    sleep_until_due();
    if (transport->open.empty()) continue;
    transport->answer(503);
    turn();
  }
  EXPECT_EQ(ledger().dead_for(DeadReason::age), 1U);
}

TEST_F(PauseTest, TheTtlRunsOn) {
  build();
  pause();
  accept(1, 1, 1000);
  clock.advance(2s);
  turn();
  destination->resume("somebody", clock.now());
  turn();
  EXPECT_TRUE(transport->started.empty());
  EXPECT_EQ(ledger().dropped_for(DropReason::expired), 1U);
}

TEST_F(PauseTest, ASecondTakesThePlaceOfTheFirstAndAnEndWithoutAPauseIsNothing) {
  build();
  destination->resume("somebody", clock.now());
  EXPECT_EQ(log.count("destination resumed"), 0);
  pause(60s);
  pause();
  clock.advance(2h);
  turn();
  EXPECT_TRUE(snapshot().pause);
  EXPECT_FALSE(snapshot().pause->until);
}

TEST_F(PauseTest, AStopEndsIt) {
  build();
  pause();
  accept(1, 1);
  turn();
  destination->begin_stop(clock.now());
  turn();
  EXPECT_EQ(transport->started.size(), 1U);
  EXPECT_EQ(log.count("destination resumed destination=audit because=the sidecar stops"), 1);
}

}  // namespace
}  // namespace outrider::sidecar
