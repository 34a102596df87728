#include "sidecar/net/intake.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

/// What libzmq has thrown away is still counted, until the socket was found empty twice.
TEST(IntakeTest, ForgetsWhatNeverCameWhileOthersGoOn) {
  Intake intake(ScanLimits{1000}, Bound::room);
  MonoTime now{};
  intake.add(2 * intake.room_bytes());
  EXPECT_FALSE(intake.has_room(1));
  for (int i = 0; i < 3; ++i) {
    intake.add(memory_of_part(10));
    intake.take(10);
    intake.settle_at(now += Intake::settle_period);
  }
  EXPECT_TRUE(intake.has_room(1));
  EXPECT_LE(intake.waiting(), 2 * memory_of_part(10));
  // What came after the last look may still be on its way.
  intake.add(500);
  intake.settle_at(now + Intake::settle_period / 2);
  intake.settle_at(now += Intake::settle_period);
  EXPECT_EQ(intake.waiting(), 500U);
  intake.settle_at(now += Intake::settle_period);
  EXPECT_EQ(intake.waiting(), 0U);
}

}  // namespace
}  // namespace outrider::sidecar
