#include "sidecar/fanout/fanout_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

class FanoutLogTest : public testing::Test {
 protected:
  test::ManualClock clock_;
  test::MemoryLog lines_;
  FanoutLog log_{"fan", true, lines_};
};

TEST_F(FanoutLogTest, SaysWhenEventsBeginToGoToNobodyWhileTheyDoAndWhenThatEnds) {
  log_.sent(0, 3, clock_.now());
  log_.sent(0, 4, clock_.now());
  ASSERT_THAT(
      lines_.lines,
      ElementsAre(
          "warn no subscriber for a fan-out's events; they reach nobody destination=fan events=3"));
  EXPECT_EQ(log_.next_deadline(), clock_.now().mono + FanoutLog::reminder_interval);
  clock_.advance(FanoutLog::reminder_interval);
  log_.look(clock_.now());
  EXPECT_EQ(lines_.lines.back(),
            "warn still no subscriber for a fan-out's events; they reach nobody destination=fan "
            "events=7");
  log_.sent(1, 1, clock_.now());
  EXPECT_EQ(lines_.lines.back(),
            "info a fan-out's events have a subscriber again destination=fan events=8");
  EXPECT_EQ(lines_.lines.size(), 3U);
  EXPECT_EQ(log_.next_deadline(), never);
}

TEST_F(FanoutLogTest, AnEventThatNobodyWantsBesideOthersIsNoNews) {
  for (int i = 0; i < 100; ++i) {
    log_.sent(1, 0, clock_.now());
    clock_.advance(seconds(5));
    log_.sent(0, 1, clock_.now());
  }
  EXPECT_TRUE(lines_.lines.empty());
}

TEST_F(FanoutLogTest, SubscribersThatComeAndGoMakeTwoLinesAMinute) {
  for (int i = 0; i < 600; ++i) {
    log_.sent(i % 20 == 0 ? 1 : 0, 1, clock_.now());
    clock_.advance(seconds(1));
  }
  EXPECT_LE(lines_.lines.size(), 20U);
  EXPECT_GE(lines_.lines.size(), 8U);
}

TEST_F(FanoutLogTest, PeersThatGoAreOneLineAMinuteAndNoneIsLeftOut) {
  log_.gone(1, 10, clock_.now());
  log_.gone(1, 20, clock_.now());
  log_.gone(2, 30, clock_.now());
  ASSERT_THAT(lines_.lines,
              ElementsAre("warn a subscriber disconnected; events on the way to it may be lost "
                          "destination=fan times=1 events_in_zeromq_max=10"));
  EXPECT_EQ(log_.next_deadline(), clock_.now().mono + FanoutLog::line_interval);
  clock_.advance(FanoutLog::line_interval);
  log_.look(clock_.now());
  EXPECT_EQ(lines_.lines.back(),
            "warn a subscriber disconnected; events on the way to it may be lost destination=fan "
            "times=3 events_in_zeromq_max=50");
  log_.gone(1, 5, clock_.now());
  log_.finish();
  EXPECT_EQ(lines_.lines.size(), 3U);
}

}  // namespace
}  // namespace outrider::sidecar
