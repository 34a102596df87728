// What turns counts into numbers for people: rates, the loop's turns, the time until a loss.
#include <gtest/gtest.h>

#include "sidecar/observe/loop_meter.hpp"
#include "sidecar/observe/rate_meter.hpp"
#include "sidecar/observe/time_to_loss.hpp"
#include "support/manual_clock.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class RateMeterTest : public ::testing::Test {
 protected:
  double rate() {
    meter.note({count}, clock.now());
    return meter.per_s(clock.now())[0];
  }

  RateMeter<1> meter;
  test::ManualClock clock;
  std::uint64_t count = 0;
};

TEST_F(RateMeterTest, ASteadyFlowHasItsRateFromTheFirstSecondOn) {
  rate();
  for (int second = 1; second <= 500; ++second) {
    clock.advance(1s);
    count += 7;
    EXPECT_NEAR(rate(), 7, 0.2) << second;
  }
}

TEST_F(RateMeterTest, ABurstIsForgottenAfterAMinuteWhetherOrNotAnybodyLooks) {
  rate();
  clock.advance(100s);
  rate();
  count += 6000;
  EXPECT_NEAR(rate(), 100, 15);
  clock.advance(55s);
  EXPECT_NEAR(rate(), 100, 15);
  clock.advance(15s);
  EXPECT_EQ(rate(), 0);
  count += 6000;
  clock.advance(1h);
  EXPECT_GT(rate(), 0) << "it was not noted before, and so has happened just now";
  clock.advance(1h);
  EXPECT_EQ(rate(), 0);
}

TEST_F(RateMeterTest, AFirstBurstIsSpreadOverASecondAtLeast) {
  count = 50;
  EXPECT_EQ(rate(), 50);
}

TEST(LoopMeter, AddsUpTurnsAndForgetsALongOneAfterAMinute) {
  test::ManualClock clock;
  LoopMeter meter;
  const auto turn = [&](Duration busy) {
    const MonoTime began = clock.now().mono;
    clock.advance(busy);
    meter.note_turn(began, clock.now().mono);
    return meter.snapshot(clock.now().mono);
  };
  turn(3ms);
  const LoopSnapshot two = turn(20ms);
  EXPECT_EQ(two.turns, 2U);
  EXPECT_EQ(two.busy, 23ms);
  EXPECT_EQ(two.longest_turn, 20ms);
  clock.advance(49s);
  EXPECT_EQ(turn(1ms).longest_turn, 20ms);
  clock.advance(11s);
  EXPECT_EQ(turn(2ms).longest_turn, 2ms);
  clock.advance(1h);
  EXPECT_EQ(meter.snapshot(clock.now().mono).longest_turn, 0ms);
  EXPECT_EQ(meter.snapshot(clock.now().mono).busy, 26ms);
}

TEST(TimeToLoss, IsThatOfTheLimitWhichIsReachedFirst) {
  std::optional<TimeToLoss> shortest;
  shorten(shortest, {LossLimit::queue_events, 100, 0});
  EXPECT_FALSE(shortest) << "what does not grow loses nothing";
  shorten(shortest, {LossLimit::queue_events, 100, 2});
  ASSERT_TRUE(shortest);
  EXPECT_EQ(shortest->left, 50s);
  shorten(shortest, {LossLimit::queue_bytes, 1000, 2});
  EXPECT_EQ(shortest->limit, LossLimit::queue_events);
  shorten(shortest, {LossLimit::lane_bytes, 0, 0.001});
  EXPECT_EQ(shortest->limit, LossLimit::lane_bytes);
  EXPECT_EQ(shortest->left, 0s);
}

TEST(TimeToLoss, EndsAtSevenDays) {
  std::optional<TimeToLoss> shortest;
  shorten(shortest, {LossLimit::disk_free, 1e30, 1e-9});
  ASSERT_TRUE(shortest);
  EXPECT_EQ(shortest->left, longest_time_to_loss);
}

TEST(TimeToLoss, NothingIsLeftBeyondALimit) {
  EXPECT_EQ(left_of(10, 4), 6);
  EXPECT_EQ(left_of(10, 40), 0);
}

TEST(DurationHistogram, CountsInItsBucketsAndItsSumDoesNotWrap) {
  DurationHistogram histogram;
  histogram.add(1ms);
  histogram.add(2ms, 3);
  histogram.add(1h);
  EXPECT_EQ(histogram.counts[0], 1U);
  EXPECT_EQ(histogram.counts[1], 3U);
  EXPECT_EQ(histogram.counts.back(), 1U);
  EXPECT_EQ(histogram.total(), 5U);
  histogram.add(1h, 1'000'000'000'000);
  EXPECT_GT(histogram.sum.count(), 3.5e15);
}

}  // namespace
}  // namespace outrider::sidecar
