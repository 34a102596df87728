#include "sidecar/deliver/pacer.hpp"

#include <gtest/gtest.h>

#include "sidecar/deliver/outcome.hpp"
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

TEST(Pacer, AFailurePausesAndOneRequestProbesUntilThereIsAnAnswer) {
  test::ManualClock clock;
  Pacer pacer({1s, 10s}, 4, 1);
  EXPECT_TRUE(pacer.may_start(3, clock.now()));
  EXPECT_FALSE(pacer.may_start(4, clock.now()));

  pacer.failed(1, std::nullopt, clock.now());
  EXPECT_LE(pacer.paused_until(), clock.now().mono + 1s);
  clock.advance(1s);
  EXPECT_TRUE(pacer.may_start(0, clock.now()));
  EXPECT_FALSE(pacer.may_start(1, clock.now())) << "a probe goes alone";

  EXPECT_EQ(pacer.answered(clock.now()), Duration(1s));
  EXPECT_TRUE(pacer.may_start(3, clock.now()));
  EXPECT_EQ(pacer.answered(clock.now()), std::nullopt);
}

TEST(Pacer, RetryAfterPausesTheWholeDestinationExactlyThatLong) {
  test::ManualClock clock;
  Pacer pacer({1s, 10s}, 4, 1);
  EXPECT_EQ(pacer.failed(1, Duration(30s), clock.now()), Duration(30s));
  clock.advance(30s - 1ns);
  EXPECT_FALSE(pacer.may_start(0, clock.now()));
  clock.advance(1ns);
  EXPECT_TRUE(pacer.may_start(0, clock.now()));
}

TEST(Pacer, AJumpOfTheWallClockChangesNothing) {
  test::ManualClock clock;
  Pacer pacer({1s, 10s}, 4, 1);
  pacer.failed(1, Duration(30s), clock.now());
  clock.jump_wall(1h);
  EXPECT_FALSE(pacer.may_start(0, clock.now()));
  clock.jump_wall(-2h);
  clock.advance(30s);
  EXPECT_TRUE(pacer.may_start(0, clock.now()));
}

TEST(Pacer, InAHurryPausesAreShort) {
  test::ManualClock clock;
  Pacer pacer({1s, 300s}, 4, 1);
  for (int i = 0; i < 20; ++i) pacer.failed(20, std::nullopt, clock.now());
  pacer.hurry(clock.now());
  EXPECT_TRUE(pacer.may_start(0, clock.now()));
  for (int i = 0; i < 20; ++i) {
    EXPECT_LE(pacer.failed(20, std::nullopt, clock.now()), Duration(1s));
  }
  EXPECT_LE(pacer.paused_until(), clock.now().mono + 1s);
}

TEST(Outcome, FollowsTheTable) {
  const auto of_status = [](int status) { return outcome_of(AttemptResult::answered, status); };
  for (const int status : {200, 201, 202, 204, 299}) {
    EXPECT_EQ(of_status(status), Outcome::delivered) << status;
  }
  for (const int status : {408, 425, 429, 500, 502, 503, 504, 599}) {
    EXPECT_EQ(of_status(status), Outcome::retry) << status;
  }
  for (const int status : {301, 302, 307, 400, 404, 409, 415, 422, 600, 0, 100}) {
    EXPECT_EQ(of_status(status), Outcome::dead) << status;
  }
  EXPECT_EQ(of_status(413), Outcome::split);
  EXPECT_EQ(of_status(401), Outcome::hold);
  EXPECT_EQ(of_status(403), Outcome::hold);
  EXPECT_EQ(of_status(410), Outcome::disable);
  EXPECT_EQ(outcome_of(AttemptResult::failed, 0), Outcome::retry);
  EXPECT_EQ(outcome_of(AttemptResult::failed, 200), Outcome::retry) << "the answer was cut short";
  EXPECT_EQ(outcome_of(AttemptResult::sent, 0), Outcome::delivered);
}

}  // namespace
}  // namespace outrider::sidecar
