#include "sidecar/deliver/pacer.hpp"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "support/manual_clock.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesUpToItsMaximumWithFullJitter) {
  Random random(1);
  const BackoffLimits limits = {100ms, 1s};
  for (const auto& [failures, ceiling] :
       {std::pair{1U, 100ms}, {2U, 200ms}, {4U, 800ms}, {5U, 1000ms}, {60U, 1000ms}}) {
    Duration longest{};
    Duration shortest = Duration::max();
    for (int i = 0; i < 2000; ++i) {
      const Duration wait = backoff(limits, failures, random);
      longest = std::max(longest, wait);
      shortest = std::min(shortest, wait);
    }
    EXPECT_LE(longest, Duration(ceiling));
    EXPECT_GT(longest, Duration(ceiling) * 9 / 10);
    EXPECT_LT(shortest, Duration(ceiling) / 10);
  }
}

class PacerTest : public ::testing::Test {
 protected:
  PacerTest() {
    config.retry_initial = 1s;
    config.retry_max = 10s;
    config.breaker_failures = 3;
    config.breaker_failure_rate = 0;
    build();
  }
  void build() { pacer.emplace(config, 1); }
  AttemptId begin(bool is_retry = false) {
    return pacer->begin_attempt(is_retry, 1, 100, clock.now());
  }
  Duration fail(AttemptId attempt, std::optional<Duration> retry_after = std::nullopt,
                std::uint32_t attempts = 1) {
    return pacer->failed({.attempt = attempt, .attempts = attempts, .retry_after = retry_after},
                         clock.now());
  }
  Duration fail(std::optional<Duration> retry_after = std::nullopt, std::uint32_t attempts = 1) {
    return fail(begin(), retry_after, attempts);
  }
  bool may_start(std::size_t in_flight) const {
    return pacer->may_start_at(in_flight) <= clock.now().mono;
  }
  bool may_retry(std::size_t in_flight = 0) const {
    return pacer->may_retry_at(in_flight) <= clock.now().mono;
  }

  test::ManualClock clock;
  DestinationConfig config;
  std::optional<Pacer> pacer;
};

TEST_F(PacerTest, OneFailurePausesItsBatchAndNothingElse) {
  EXPECT_LE(fail(), Duration(1s));
  EXPECT_FALSE(pacer->is_open());
  EXPECT_TRUE(may_start(1));
}

TEST_F(PacerTest, FailuresInARowOpenTheBreakerAndOneRequestProbes) {
  for (int i = 0; i < 3; ++i) fail();
  EXPECT_TRUE(pacer->is_open());
  clock.advance(1s);
  EXPECT_TRUE(may_start(0));
  EXPECT_FALSE(may_start(1)) << "a probe goes alone";
  const auto outage = pacer->answered(begin(), 1ms, clock.now());
  EXPECT_EQ(outage, Duration(1s));
  EXPECT_FALSE(pacer->answered(begin(), 1ms, clock.now()));
}

TEST_F(PacerTest, AfterAnOutageItStartsSlowlyAndDoubles) {
  for (int i = 0; i < 3; ++i) fail();
  clock.advance(1s);
  pacer->answered(begin(), 1ms, clock.now());
  EXPECT_EQ(pacer->concurrency_limit(), 1U);
  for (const std::size_t expected : {2U, 4U, 8U, 16U, 16U}) {
    const std::size_t limit = pacer->concurrency_limit();
    pacer->note_held_back();
    std::vector<AttemptId> attempts;
    for (std::size_t i = 0; i < limit; ++i) attempts.push_back(begin());
    clock.advance(50ms);
    for (const AttemptId attempt : attempts) pacer->answered(attempt, 50ms, clock.now());
    EXPECT_EQ(pacer->concurrency_limit(), expected);
  }
}

TEST_F(PacerTest, AnAnswerInBetweenEndsTheRow) {
  for (int i = 0; i < 10; ++i) {
    fail();
    fail();
    pacer->answered(begin(), 1ms, clock.now());
  }
  EXPECT_FALSE(pacer->is_open());
}

TEST_F(PacerTest, AShareOfFailuresOpensTheBreakerToo) {
  config.breaker_failures = 0;
  config.breaker_failure_rate = 0.5;
  build();
  for (int i = 0; i < 9; ++i) {
    pacer->answered(begin(), 1ms, clock.now());
    fail();
    clock.advance(100ms);
  }
  EXPECT_FALSE(pacer->is_open()) << "18 requests are too few to judge";
  pacer->answered(begin(), 1ms, clock.now());
  fail();
  EXPECT_TRUE(pacer->is_open());
}

TEST_F(PacerTest, FailuresOfLongAgoAreNoRate) {
  config.breaker_failures = 0;
  config.breaker_failure_rate = 0.5;
  build();
  for (int i = 0; i < 19; ++i) fail();
  clock.advance(11s);
  for (int i = 0; i < 30; ++i) pacer->answered(begin(), 1ms, clock.now());
  for (int i = 0; i < 20; ++i) fail();
  EXPECT_FALSE(pacer->is_open()) << "20 of 50";
}

TEST_F(PacerTest, RefusedCredentialsOpenItAtOnce) {
  pacer->failed({.attempt = begin(), .is_hold = true}, clock.now());
  EXPECT_TRUE(pacer->is_open());
}

TEST_F(PacerTest, RequestsThatWereUnderWayTellNothingNew) {
  std::vector<AttemptId> attempts;
  for (int i = 0; i < 100; ++i) attempts.push_back(begin());
  for (int i = 0; i < 99; ++i) fail(attempts[i]);
  EXPECT_TRUE(pacer->is_open());
  EXPECT_LE(pacer->may_start_at(0), clock.now().mono + 1s) << "that is one opening, not many";
  EXPECT_FALSE(pacer->answered(attempts[99], 1ms, clock.now())) << "it was sent before that";
  EXPECT_TRUE(pacer->is_open());
}

TEST_F(PacerTest, TheProbesWaitLongerAndLonger) {
  config.retry_max = 1h;
  build();
  for (int i = 0; i < 3; ++i) fail();
  Duration longest{};
  for (int i = 0; i < 12; ++i) {
    const MonoTime at = pacer->may_start_at(0);
    longest = std::max(longest, at - clock.now().mono);
    clock.advance(at - clock.now().mono);
    fail();
  }
  EXPECT_GT(longest, Duration(60s));
}

TEST_F(PacerTest, AFailureOfOneUrlAmongSeveralIsNoFailureOfTheDestination) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(pacer->failed({.attempt = begin(), .has_alternative = true}, clock.now()),
              Duration::zero());
  }
  EXPECT_FALSE(pacer->is_open());
}

TEST_F(PacerTest, RetryAfterPausesTheWholeDestinationAtLeastThatLong) {
  const AttemptId other = begin();
  EXPECT_EQ(fail(Duration(30s)), Duration(30s));
  pacer->answered(other, 1ms, clock.now());
  clock.advance(30s - 1ns);
  EXPECT_FALSE(may_start(0));
  clock.advance(1ns);
  EXPECT_TRUE(may_start(0));
}

TEST_F(PacerTest, RetryAfterZeroIsNoLoop) {
  Duration total{};
  for (int i = 0; i < 20; ++i) total += fail(Duration(0), static_cast<std::uint32_t>(i + 1));
  EXPECT_GT(total, Duration(20s)) << "the waits grow as without it";
}

TEST_F(PacerTest, AJumpOfTheWallClockChangesNothing) {
  fail(Duration(30s));
  clock.jump_wall(1h);
  EXPECT_FALSE(may_start(0));
  clock.jump_wall(-2h);
  clock.advance(30s);
  EXPECT_TRUE(may_start(0));
}

TEST_F(PacerTest, InAHurryPausesAreShort) {
  fail(Duration(1h));
  pacer->hurry(clock.now());
  EXPECT_TRUE(may_start(0));
  for (int i = 0; i < 20; ++i) EXPECT_LE(fail(Duration(1h), 20), Duration(1s));
  EXPECT_LE(pacer->may_start_at(0), clock.now().mono + 1s);
}

TEST_F(PacerTest, RetriesAreAtMostAShareOfTheRequestsButAlwaysTenASecond) {
  config.retry_share_max = 0.2;
  build();
  int retries = 0;
  const auto retry_all = [&] {
    for (; may_retry(); ++retries) begin(true);
  };
  retry_all();
  EXPECT_EQ(retries, 11) << "what is always allowed, at once";
  retries = 0;
  for (int i = 0; i < 400; ++i) begin();
  retry_all();
  EXPECT_EQ(retries, 100) << "of 500 requests";
  retries = 0;
  for (int i = 0; i < 50; ++i) {
    clock.advance(100ms);
    retry_all();
  }
  EXPECT_EQ(retries, 50) << "in 5 s";
}

TEST_F(PacerTest, WithoutABudgetRetriesGoAsTheyCome) {
  config.retry_share_max = 1;
  build();
  for (int i = 0; i < 1000; ++i) begin(true);
  EXPECT_TRUE(may_retry());
}

TEST_F(PacerTest, RatesHoldOnAverage) {
  config.rate_max = {.events_per_s = 100, .requests_per_s = 0, .bytes_per_s = 10'000};
  build();
  EXPECT_EQ(pacer->batch_events_max(), 100U) << "a batch is no more than a second's worth";
  std::uint64_t events = 0;
  for (int i = 0; i < 100; ++i) {
    while (may_start(0)) {
      pacer->begin_attempt(false, 60, 600, clock.now());
      events += 60;
    }
    clock.advance(100ms);
  }
  EXPECT_GE(events, 1000U);
  EXPECT_LE(events, 1000U + 100 + 60) << "10 s, what one second keeps, and one batch in advance";
}

TEST_F(PacerTest, TheTightestOfTheRatesCounts) {
  config.rate_max = {.events_per_s = 1000, .requests_per_s = 2, .bytes_per_s = 1'000'000};
  build();
  int requests = 0;
  for (int i = 0; i < 100; ++i) {
    for (; may_start(0); ++requests) begin();
    clock.advance(100ms);
  }
  EXPECT_GE(requests, 20);
  EXPECT_LE(requests, 23);
}

}  // namespace
}  // namespace outrider::sidecar
