// What a destination does with answers other than 2xx: retries, holds, splits, dead letters.

#include <algorithm>

#include "unit/deliver/destination_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

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
  EXPECT_EQ(log.count("warn request failed"), 1);
}

TEST_F(DestinationTest, AnOutageIsProbedByOneRequestAndToldOnce) {
  config.breaker_failures = 2;
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
  EXPECT_EQ(log.count("warn destination is down"), 1);
  sleep_until_due();
  transport->answer(200);
  turn();
  EXPECT_EQ(transport->open.size(), 1U) << "what waited is due at once when it is back";
  transport->answer(200);
  turn();
  EXPECT_EQ(ledger().delivered, 6U);
  EXPECT_EQ(log.count("info destination recovered"), 1);
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
  EXPECT_LE(log.count("request failed"), 4);
  EXPECT_EQ(log.count("destination is down"), 0) << "it is the batch that fails";
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
  EXPECT_EQ(ledger().dead_total(), 2U);
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
  EXPECT_EQ(ledger().dead_total(), 1U);
  EXPECT_EQ(log.count("reason=age"), 1);
}

TEST_F(DestinationTest, ARefusedBatchIsDeadAndTheNextOneGoesOut) {
  build();
  accept(1, 2);
  turn();
  transport->answer(400);
  turn();
  EXPECT_EQ(ledger().dead_total(), 2U);
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
  EXPECT_EQ(ledger().dead_total(), 100U);
  EXPECT_EQ(log.count("dead letters"), 1);
}

TEST_F(DestinationTest, EveryDeadLetterIsToldUnderItsOwnReason) {
  config.batch_events_max = 1;
  config.concurrency_max = 1;
  build();
  for (const int status : {400, 413, 400, 413, 400}) {
    accept(1, 1);
    turn();
    transport->answer(status);
    turn();
  }
  EXPECT_EQ(log.count("dead letters destination=audit reason=refused events=1"), 1);
  EXPECT_EQ(log.count("dead letters destination=audit reason=too_large events=1"), 1);
  destination->abandon(clock.now());
  EXPECT_EQ(log.count("dead letters destination=audit reason=refused events=2"), 1);
  EXPECT_EQ(log.count("dead letters destination=audit reason=too_large events=1"), 2);
  EXPECT_EQ(ledger().dead_for(DeadReason::refused), 3U);
  EXPECT_EQ(ledger().dead_for(DeadReason::too_large), 2U);
}

TEST_F(DestinationTest, WhatDiesUnsentWithItsDestinationIsToldToo) {
  config.concurrency_max = 1;
  build();
  accept(1, 5);
  turn();
  transport->answer(410);
  turn();
  accept(6, 6);
  destination->abandon(clock.now());
  EXPECT_EQ(ledger().dead_for(DeadReason::gone), 6U);
  EXPECT_EQ(log.count("dead letters destination=audit reason=gone events=3"), 2);
}

TEST_F(DestinationTest, AnOutageIsRecalledEveryHourWithWhatWaits) {
  config.breaker_failures = 1;
  config.retry_max = 10min;
  build();
  accept(1, 3);
  const MonoTime begin = clock.now().mono;
  while (clock.now().mono < begin + 3h) {
    sleep_until_due();
    while (!transport->open.empty()) transport->fail(), turn();
  }
  EXPECT_GE(log.count("warn destination is down"), 3);
  EXPECT_LE(log.count("warn destination is down"), 4);
  EXPECT_EQ(log.count("queued=3"), log.count("warn destination is down"));
}

TEST_F(DestinationTest, OnePoisonEventCostsOneEventThoughTheAnswerIs400) {
  config.batch_events_max = 8;
  config.status_actions = {{400, 400, Outcome::split}};
  build();
  accept(1, 8);
  turn();
  for (int i = 0; i < 100 && !destination->is_drained(); ++i) {
    const auto contents = numbers(transport->open.begin()->second.body);
    transport->answer(std::ranges::find(contents, 6) != contents.end() ? 400 : 200);
    turn();
  }
  EXPECT_EQ(ledger().delivered, 7U);
  EXPECT_EQ(ledger().dead_for(DeadReason::refused), 1U);
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
  EXPECT_EQ(ledger().dead_total(), 1U);
  EXPECT_EQ(ledger().delivered, 7U);
  EXPECT_EQ(log.count("reason=too_large"), 1);
}

TEST_F(DestinationTest, A413WithRetryAfterIsWaitedForAndNotHalved) {
  build();
  accept(1, 3);
  turn();
  transport->answer(413);
  turn();
  accept(4, 4);
  const std::size_t before = transport->started.size();
  while (!transport->open.empty()) transport->answer(413, std::chrono::seconds(30));
  turn();
  EXPECT_EQ(transport->started.size(), before) << "it is paused";
  EXPECT_EQ(ledger().dead_total(), 0U);
  EXPECT_EQ(ledger().queued, 4U);
  drain();
  EXPECT_EQ(ledger().delivered, 4U);
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
  EXPECT_EQ(ledger().dead_total(), 0U);
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
  EXPECT_EQ(ledger().dead_total(), 5U);
  accept(6, 6);
  turn();
  EXPECT_EQ(ledger().dead_total(), 6U);
  sleep_until_due();
  EXPECT_EQ(destination->next_deadline(), never) << "all is told";
  EXPECT_EQ(transport->started.size(), 1U);
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
  EXPECT_EQ(ledger().dead_total(), 6U);
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

TEST_F(DestinationTest, WhatFailsDuringShutdownIsNeverCountedAsFinallyFailed) {
  config.retry_attempts_max = 1;
  config.retry_age_max = 1ms;
  build();
  accept(1, 3);
  turn();
  destination->begin_stop(clock.now());
  clock.advance(1s);
  transport->answer(503);
  turn();
  EXPECT_EQ(ledger().dead_total(), 0U);
  destination->abandon(clock.now());
  EXPECT_EQ(ledger().dropped_for(DropReason::linger), 3U);
}

TEST_F(DestinationTest, AStopUsesTheStatusThatIsThere) {
  build();
  accept(1, 1);
  turn();
  transport->on_hurry = [&] { transport->answer(200); };
  destination->begin_stop(clock.now());
  destination->abandon(clock.now());
  EXPECT_EQ(ledger().delivered, 1U);
  EXPECT_EQ(ledger().dropped_total(), 0U);
}

TEST_F(DestinationTest, WhatCannotBeSentIsDeadAndTheNextGoesOut) {
  build();
  accept(1, 1);
  turn();
  Completion completion;
  completion.id = transport->open.begin()->first;
  completion.result = AttemptResult::unsendable;
  completion.detail = "url: the event has no data.user.id";
  transport->complete(completion);
  accept(2, 2);
  turn();
  EXPECT_EQ(log.count("reason=unsendable"), 1);
  EXPECT_EQ(log.count("no data.user.id"), 1);
  transport->answer(200);
  turn();
  EXPECT_EQ(ledger().dead_total(), 1U);
  EXPECT_EQ(ledger().delivered, 1U);
}

TEST_F(DestinationTest, AStatusMeansWhatTheConfigurationSays) {
  config.status_actions = {{409, 409, Outcome::delivered}, {500, 599, Outcome::dead}};
  build();
  accept(1, 1);
  turn();
  transport->answer(409);
  accept(2, 2);
  turn();
  transport->answer(503);
  turn();
  EXPECT_EQ(ledger().delivered, 1U);
  EXPECT_EQ(ledger().dead_total(), 1U);
}

TEST_F(DestinationTest, FreshEventsAreNotStarvedByTheBacklogOfRetries) {
  config.batch_events_max = 1;
  config.concurrency_max = 1;
  config.breaker_failures = 0;
  config.breaker_failure_rate = 0;
  config.retry_initial = 100ms;
  config.retry_max = 100ms;
  build();
  accept(1, 200);
  turn();
  for (int i = 0; i < 200; ++i) {  // each fails once
    transport->answer(503);
    turn();
  }
  clock.advance(1s);
  accept(201, 240);
  turn();
  Numbers order;
  for (int i = 0; i < 60; ++i) {
    order.push_back(numbers(transport->open.begin()->second.body).front());
    transport->answer(200);
    turn();
  }
  const auto fresh = std::ranges::count_if(order, [](int number) { return number > 200; });
  EXPECT_GE(fresh, 25);
  EXPECT_LT(fresh, 60) << "and the backlog goes out too";
}

TEST_F(DestinationTest, HeldTimeMakesNobodyOld) {
  config.retry_age_max = 1h;
  config.concurrency_max = 2;
  config.concurrency_min = 2;
  config.batch_events_max = 1;
  build();
  accept(1, 2);
  turn();
  transport->answer(503);
  transport->answer(401);
  turn();
  for (int i = 0; i < 120; ++i) {
    sleep_until_due();
    while (!transport->open.empty()) transport->answer(401), turn();
  }
  ASSERT_GT(clock.now().mono, MonoTime(1000s) + 2h);
  sleep_until_due();
  transport->answer(200);
  turn();
  while (!transport->open.empty()) transport->answer(503), turn();
  EXPECT_EQ(ledger().dead_total(), 0U);
  EXPECT_EQ(ledger().queued, 1U);
}

TEST_F(DestinationTest, AFailureWithAnotherUrlUpIsTriedAgainAtOnce) {
  config.retry_attempts_max = 1;
  build();
  accept(1, 1);
  turn();
  Completion completion;
  completion.id = transport->open.begin()->first;
  completion.detail = "connection refused";
  completion.has_alternative = true;
  transport->complete(completion);
  turn();
  EXPECT_EQ(transport->started.size(), 2U);
}

TEST_F(DestinationTest, AnOutageSplitsNothingWhateverTheActionSays) {
  for (const int status : {500, 503, 403, 410}) {
    config.status_actions = {{400, 599, Outcome::split}};
    build();
    accept(1, 6);
    turn();
    const MonoTime end = clock.now().mono + 1h;
    while (clock.now().mono < end) {
      while (!transport->open.empty()) transport->answer(status), turn();
      ASSERT_EQ(ledger().dead_total(), 0U) << status;
      sleep_until_due();
    }
    drain();
    EXPECT_EQ(ledger().delivered, 6U) << status;
  }
}

TEST_F(DestinationTest, ASplitByActionFindsThePoisonWhileOthersSucceed) {
  config.status_actions = {{500, 500, Outcome::split}};
  config.batch_events_max = 8;
  build();
  std::uint64_t number = 0;
  for (int round = 0; round < 200 && !(number > 100 && destination->is_drained()); ++round) {
    if (number < 104) accept(number + 1, number + 8), number += 8;
    turn();
    while (!transport->open.empty()) {
      const Numbers events = numbers(transport->open.begin()->second.body);
      const bool has_poison = std::find(events.begin(), events.end(), 5) != events.end();
      transport->answer(has_poison ? 500 : 200);
      turn();
    }
    if (!destination->is_drained()) sleep_until_due();
  }
  drain();
  EXPECT_EQ(ledger().dead_for(DeadReason::refused), 1U);
  EXPECT_EQ(ledger().delivered, 103U);
}

TEST_F(DestinationTest, WhatOneUrlTakesProvesNothingOfAnother) {
  config.status_actions = {{401, 401, Outcome::split}};
  config.batch_events_max = 8;
  build();
  std::uint32_t next_way = 0;
  for (std::uint64_t number = 1; number <= 400 || !destination->is_drained(); number += 8) {
    if (number <= 400) accept(number, number + 7);
    turn();
    while (!transport->open.empty()) {
      Completion completion;
      completion.id = transport->open.begin()->first;
      completion.result = AttemptResult::answered;
      completion.way = next_way++ % 2;
      completion.status = completion.way == 0 ? 401 : 200;
      completion.has_alternative = completion.way == 0;
      transport->complete(completion);
      turn();
    }
    if (!destination->is_drained()) sleep_until_due();
    ASSERT_LT(number, 4000U);
  }
  EXPECT_EQ(ledger().dead_total(), 0U);
  EXPECT_EQ(ledger().delivered, 400U);
}

TEST_F(DestinationTest, OneOfSeveralUrlsThatIsGoneCostsNothing) {
  build();
  accept(1, 1);
  turn();
  Completion gone;
  gone.id = transport->open.begin()->first;
  gone.result = AttemptResult::answered;
  gone.status = 410;
  gone.has_alternative = gone.others_remain = true;
  transport->complete(gone);
  turn();
  ASSERT_EQ(transport->open.size(), 1U);
  transport->answer(200);
  turn();
  EXPECT_EQ(ledger().delivered, 1U);
  accept(2, 2);
  turn();
  gone.id = transport->open.begin()->first;
  gone.has_alternative = gone.others_remain = false;
  transport->complete(gone);
  turn();
  EXPECT_EQ(ledger().dead_for(DeadReason::gone), 1U);
}

TEST_F(DestinationTest, AnAnswerFromBeforeTheFailureProvesNothing) {
  config.status_actions = {{500, 500, Outcome::split}};
  build();
  accept(1, 6);
  turn();
  ASSERT_EQ(transport->open.size(), 2U);
  const AttemptId second = transport->open.rbegin()->first;
  Completion failed;
  failed.id = transport->open.begin()->first;
  failed.result = AttemptResult::answered;
  failed.status = 500;
  transport->complete(failed);
  turn();
  ASSERT_EQ(transport->open.begin()->first, second);
  transport->answer(200);
  turn();
  for (int i = 0; i < 5; ++i) {
    if (transport->open.empty()) sleep_until_due();
    ASSERT_FALSE(transport->open.empty());
    EXPECT_EQ(numbers(transport->open.begin()->second.body), (Numbers{1, 2, 3})) << "still whole";
    transport->answer(500);
    turn();
  }
  EXPECT_EQ(ledger().dead_total(), 0U);
  drain();
}

}  // namespace
}  // namespace outrider::sidecar
