#include "sidecar/base/line_limit.hpp"

#include <gtest/gtest.h>

#include "sidecar/base/stall_timer.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Now at(Duration time) {
  return {MonoTime(time), WallTime(time)};
}

TEST(LineLimitTest, AllowsTheFirstLineAtOnceAndTheNextAfterTheInterval) {
  LineLimit limit(seconds(10));
  EXPECT_TRUE(limit.take(at(seconds(100))));
  EXPECT_EQ(limit.next_line(), MonoTime(seconds(110)));
  EXPECT_FALSE(limit.take(at(seconds(110) - Duration(1))));
  EXPECT_TRUE(limit.take(at(seconds(110))));
  EXPECT_EQ(limit.next_line(), MonoTime(seconds(120))) << "refused lines do not count";
}

TEST(StallTimerTest, ReportsAnEndOnlyAfterALine) {
  StallTimer timer;
  EXPECT_EQ(timer.next_line(), never);
  timer.start(at(seconds(100)));
  EXPECT_EQ(timer.stop(at(seconds(129))), std::nullopt);
  EXPECT_EQ(timer.next_line(), never);

  timer.start(at(seconds(200)));
  EXPECT_EQ(timer.take_line(at(seconds(229))), std::nullopt);
  EXPECT_EQ(timer.take_line(at(seconds(230))), seconds(30));
  EXPECT_EQ(timer.next_line(), MonoTime(seconds(230) + minutes(10)));
  EXPECT_EQ(timer.stop(at(seconds(231))), seconds(31));
  EXPECT_EQ(timer.stop(at(seconds(232))), std::nullopt) << "once";
}

}  // namespace
}  // namespace outrider::sidecar
