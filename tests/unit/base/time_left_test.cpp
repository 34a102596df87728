#include "sidecar/base/time_left.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime at(Duration since_start) {
  return MonoTime(since_start);
}

TEST(TimeLeft, IsTheDifferenceUpToTheLongest) {
  EXPECT_EQ(time_left(at(5s), at(2s), 1h), 3s);
  EXPECT_EQ(time_left(at(5h), at(2s), 1h), 1h);
  EXPECT_EQ(time_left(at(1ns), at(0ns)), 1ns);
}

TEST(TimeLeft, DueAndPastAreNow) {
  EXPECT_EQ(time_left(at(5s), at(5s), 1h), 0s);
  EXPECT_EQ(time_left(at(1s), at(5s), 1h), 0s);
  EXPECT_EQ(time_left(MonoTime::min(), at(5s), 1h), 0s);
  EXPECT_EQ(time_left(MonoTime::min(), MonoTime::min(), 1h), 0s);
}

TEST(TimeLeft, NeverIsTheLongest) {
  EXPECT_EQ(time_left(never, at(5s), 1h), 1h);
  EXPECT_EQ(time_left(never, at(-5s), 1h), 1h);
  EXPECT_EQ(time_left(never, at(5s)), Duration::max());
}

// A constant expression must not overflow: each of these would not compile if it did.
static_assert(time_left(MonoTime::min(), MonoTime::max()) == 0ns);
static_assert(time_left(MonoTime::max() - 1ns, MonoTime::min(), 1h) == 1h);
static_assert(time_left(MonoTime::max() - 1ns, at(-1s)) == Duration::max());
static_assert(time_left(at(Duration::max() - 1ns), at(0s)) == Duration::max() - 1ns);

}  // namespace
}  // namespace outrider::sidecar
