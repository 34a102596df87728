#include "sidecar/deliver/pacer.hpp"

#include <optional>
#include <vector>

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

class PacerTest : public ::testing::Test {
 protected:
  /// One attempt that fails, begun and ended now.
  Duration fail(std::optional<Duration> retry_after = std::nullopt, std::uint32_t attempts = 1) {
    return pacer.failed(pacer.begin_attempt(), attempts, retry_after, clock.now());
  }

  test::ManualClock clock;
  Pacer pacer{{1s, 10s}, 4, 1};
};

TEST_F(PacerTest, AFailurePausesAndOneRequestProbesUntilThereIsAnAnswer) {
  EXPECT_TRUE(pacer.may_start(3, clock.now()));
  EXPECT_FALSE(pacer.may_start(4, clock.now()));

  fail();
  EXPECT_LE(pacer.paused_until(), clock.now().mono + 1s);
  clock.advance(1s);
  EXPECT_TRUE(pacer.may_start(0, clock.now()));
  EXPECT_FALSE(pacer.may_start(1, clock.now())) << "a probe goes alone";

  const auto recovery = pacer.answered(pacer.begin_attempt(), clock.now());
  ASSERT_TRUE(recovery);
  EXPECT_EQ(recovery->failed_for, Duration(1s));
  EXPECT_TRUE(pacer.may_start(3, clock.now()));
  EXPECT_FALSE(pacer.answered(pacer.begin_attempt(), clock.now()));
}

TEST_F(PacerTest, RequestsThatWereUnderWayTellNothingNew) {
  std::vector<AttemptId> attempts;
  for (int i = 0; i < 100; ++i) attempts.push_back(pacer.begin_attempt());
  for (int i = 0; i < 99; ++i) pacer.failed(attempts[i], 1, std::nullopt, clock.now());
  EXPECT_LE(pacer.paused_until(), clock.now().mono + 1s) << "that is one failure, not a hundred";
  EXPECT_FALSE(pacer.answered(attempts[99], clock.now())) << "it was sent before the failure";
  EXPECT_TRUE(pacer.is_failing());
}

TEST_F(PacerTest, RetryAfterPausesTheWholeDestinationAtLeastThatLong) {
  const AttemptId other = pacer.begin_attempt();
  EXPECT_EQ(fail(Duration(30s)), Duration(30s));
  pacer.answered(other, clock.now());
  clock.advance(30s - 1ns);
  EXPECT_FALSE(pacer.may_start(0, clock.now()));
  clock.advance(1ns);
  EXPECT_TRUE(pacer.may_start(0, clock.now()));
}

TEST_F(PacerTest, RetryAfterZeroIsNoLoop) {
  Duration total{};
  for (int i = 0; i < 20; ++i) {
    total += fail(Duration(0), static_cast<std::uint32_t>(i + 1));
    clock.advance(pacer.paused_until() - clock.now().mono);
  }
  EXPECT_GT(total, Duration(20s)) << "the waits grow as without it";
}

TEST_F(PacerTest, AJumpOfTheWallClockChangesNothing) {
  fail(Duration(30s));
  clock.jump_wall(1h);
  EXPECT_FALSE(pacer.may_start(0, clock.now()));
  clock.jump_wall(-2h);
  clock.advance(30s);
  EXPECT_TRUE(pacer.may_start(0, clock.now()));
}

TEST_F(PacerTest, InAHurryPausesAreShort) {
  fail(Duration(1h));
  pacer.hurry(clock.now());
  EXPECT_TRUE(pacer.may_start(0, clock.now()));
  for (int i = 0; i < 20; ++i) EXPECT_LE(fail(Duration(1h), 20), Duration(1s));
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
