// Ticker: when it ticks, and that it does.

#include "sidecar/base/ticker.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

TEST(TickerTest, AllOfOnePeriodTickTogether) {
  const MonoTime second{1000s};
  for (const Duration late : {0ns, 1ns, 300'000'000ns, 999'999'999ns}) {
    EXPECT_EQ(Ticker::first_tick(second + late, 1s), second + 1s) << late.count();
  }
  EXPECT_EQ(Ticker::first_tick(second + 25ms, 20ms), second + 40ms);
}

TEST(TickerTest, TicksAgainAndAgainUntilItIsDestroyed) {
  Reactor reactor;
  int ticks = 0;
  {
    const Ticker ticker(reactor, 1ms, [&ticks] { ++ticks; });
    while (ticks < 3) ASSERT_GT(reactor.wait(10s), 0);
  }
  EXPECT_EQ(reactor.wait(Duration::zero()), 0);
}

}  // namespace
}  // namespace outrider::sidecar
