// What the log is told while a destination fails or drops: the lines, how many, with which numbers.
#include "destination_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class FailureLogTest : public DestinationFixture {};

/// The numbers behind `field=` in all lines that contain `part`, added up.
std::uint64_t sum_of(const test::MemoryLog& log, std::string_view part, std::string_view field) {
  std::uint64_t sum = 0;
  for (const std::string& line : log.lines) {
    const std::size_t at = line.find(std::string(" ").append(field).append("="));
    if (line.find(part) == std::string::npos || at == std::string::npos) continue;
    sum += std::stoull(line.substr(at + field.size() + 2));
  }
  return sum;
}

TEST_F(FailureLogTest, SaysThatEventsAreDroppedFromTheFirstToTheLast) {
  config.queue_events_max = 10;
  build();
  accept(1, 10);
  turn();
  transport->fail();
  turn();
  EXPECT_EQ(log.count("dropped"), 0);
  std::uint64_t next = 11;
  for (int second = 0; second < 25; ++second, next += 2) {
    accept(next, next + 1);
    destination->do_work(clock.now());
    while (!transport->open.empty()) transport->fail();
    destination->do_work(clock.now());
    clock.advance(1s);
  }
  EXPECT_EQ(log.count("error events are dropped destination=audit events=2 reasons=queue_full 2"),
            1);
  EXPECT_EQ(log.count("error events are still dropped"), 2);
  EXPECT_EQ(log.count("no more events are dropped"), 0);
  EXPECT_EQ(log.count("kept"), 0) << "they are not";
  ASSERT_NE(destination->next_deadline(), never);
  for (int second = 0; second < 25; ++second) {
    clock.advance(1s);
    destination->do_work(clock.now());
  }
  EXPECT_EQ(log.count("error no more events are dropped destination=audit events=50 reasons="
                      "queue_full 50"),
            1);
  EXPECT_EQ(sum_of(log, "events are", "events") - sum_of(log, "no more", "events"), 50U)
      << "each of them once";
}

TEST_F(FailureLogTest, WakesToSayThatTheDroppingHasEnded) {
  build();
  accept(1, 1, 1000);
  turn();
  transport->fail();
  turn();
  accept(2, 3, 1000);
  clock.advance(2s);
  turn();
  drain();
  EXPECT_GT(ledger().dropped_for(DropReason::expired), 0U);
  EXPECT_EQ(log.count("error events are dropped"), 1);
  sleep_until_due();
  EXPECT_EQ(log.count("error no more events are dropped"), 1);
  EXPECT_EQ(destination->next_deadline(), never);
}

TEST_F(FailureLogTest, WhatIsNotSampledIsNoLoss) {
  config.sample_rate = 0.1;
  build();
  accept(1, 100);
  turn();
  drain();
  EXPECT_GT(ledger().dropped_for(DropReason::sampled), 0U);
  EXPECT_EQ(log.count("dropped"), 0);
}

TEST_F(FailureLogTest, WhatIsDroppedAtTheEndIsTold) {
  build();
  accept(1, 5);
  turn();
  destination->abandon(clock.now());
  EXPECT_EQ(log.count("error events were dropped destination=audit events=5 reasons=linger 5"), 1);
}

TEST_F(FailureLogTest, StatesThatAlternateAreOneLineOfAKindInTenSeconds) {
  config.concurrency_max = 1;
  config.retry_initial = 100ms;
  config.retry_max = 200ms;
  build();
  int answers = 0;
  std::uint64_t number = 0;
  const MonoTime end = clock.now().mono + 600s;
  for (int i = 0; i < 100'000 && clock.now().mono < end; ++i) {
    if (destination->is_drained()) ++number, accept(number, number);
    turn();
    if (transport->open.empty()) {
      sleep_until_due();
      continue;
    }
    clock.advance(50ms);
    transport->answer(++answers % 2 == 1 ? 401 : 200);
    turn();
  }
  ASSERT_GT(answers, 2000);
  EXPECT_LE(log.count("refuses our credentials"), 61);
  EXPECT_LE(log.count("destination recovered"), 61);
  destination->abandon(clock.now());
  const auto told = static_cast<std::uint64_t>(log.count("refuses our credentials") +
                                               log.count("destination recovered"));
  EXPECT_EQ(told + sum_of(log, "destination", "left_out"), static_cast<std::uint64_t>(answers));
}

TEST_F(FailureLogTest, TheLastStateIsToldThoughItCameTooSoon) {
  config.retry_initial = 1ms;
  config.retry_max = 1ms;
  build();
  for (const int status : {401, 200, 401, 200}) {
    accept(1, destination->is_drained() ? 1 : 0);
    for (int i = 0; i < 10 && transport->open.empty(); ++i) sleep_until_due();
    ASSERT_FALSE(transport->open.empty());
    transport->answer(status);
    turn();
  }
  EXPECT_EQ(log.count("refuses our credentials"), 1);
  EXPECT_EQ(log.count("destination recovered"), 1);
  ASSERT_TRUE(destination->is_drained());
  sleep_until_due();
  EXPECT_EQ(log.count("destination recovered"), 2);
  EXPECT_EQ(log.count("left_out=1"), 1);
  EXPECT_EQ(destination->next_deadline(), never);
}

TEST_F(FailureLogTest, DeadLettersThatWereLeftOutAreToldTenSecondsLater) {
  build();
  for (std::uint64_t number = 1; number <= 3; ++number) {
    accept(number, number);
    turn();
    Completion refusal;
    refusal.id = transport->open.begin()->first;
    refusal.result = AttemptResult::answered;
    refusal.status = 400;
    refusal.detail = "no such topic";
    transport->complete(refusal);
    turn();
  }
  EXPECT_EQ(log.count("dead letters destination=audit reason=refused events=1"), 1);
  sleep_until_due();
  EXPECT_EQ(log.count("dead letters destination=audit reason=refused events=2 status=400 "
                      "attempts=1 batch_id="),
            1);
  EXPECT_EQ(log.count("answer=no such topic"), 2);
  EXPECT_EQ(destination->next_deadline(), never);
}

}  // namespace
}  // namespace outrider::sidecar
