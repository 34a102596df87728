#include "sidecar/cli/service_status.hpp"

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class ServiceStatusTest : public testing::Test {
 protected:
  ServiceStatus service(std::optional<Duration> watchdog) {
    return {3, watchdog, [this](std::string_view state) { sent_.emplace_back(state); }};
  }
  std::vector<std::string> sent() { return std::exchange(sent_, {}); }

  std::vector<std::string> sent_;
  MonoTime now_{1000s};
};

TEST_F(ServiceStatusTest, GivesASignOfLifeTwiceInTheTime) {
  ServiceStatus status = service(30s);
  status.ready();
  EXPECT_THAT(sent(), ElementsAre("READY=1\nSTATUS=running with 3 destinations"));
  EXPECT_EQ(status.turn(now_, false), now_ + 15s);
  EXPECT_THAT(sent(), ElementsAre("WATCHDOG=1"));
  EXPECT_EQ(status.turn(now_ + 14s, false), now_ + 15s);
  EXPECT_THAT(sent(), IsEmpty());
  status.turn(now_ + 15s, false);
  EXPECT_THAT(sent(), ElementsAre("WATCHDOG=1"));
}

TEST_F(ServiceStatusTest, WithoutAWatchdogNothingWakesTheLoop) {
  ServiceStatus status = service(std::nullopt);
  EXPECT_EQ(status.turn(now_, false), never);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(ServiceStatusTest, AsksForTimeAsLongAsItStops) {
  ServiceStatus status = service(std::nullopt);
  status.turn(now_, false);
  EXPECT_EQ(status.turn(now_, true), now_ + 5s);
  EXPECT_THAT(sent(), ElementsAre("STOPPING=1\nSTATUS=stopping: delivers what it holds",
                                  "EXTEND_TIMEOUT_USEC=15000000"));
  status.turn(now_ + 4s, true);
  EXPECT_THAT(sent(), IsEmpty());
  status.turn(now_ + 5s, true);
  EXPECT_THAT(sent(), ElementsAre("EXTEND_TIMEOUT_USEC=15000000"));
}

TEST(Watchdog, IsWhatTheEnvironmentSays) {
  unsetenv("WATCHDOG_PID");
  unsetenv("WATCHDOG_USEC");
  EXPECT_EQ(watchdog_interval(), std::nullopt);
  for (const char* wrong : {"", "0", "-1", "x", "1s"}) {
    setenv("WATCHDOG_USEC", wrong, 1);
    EXPECT_EQ(watchdog_interval(), std::nullopt) << wrong;
  }
  setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(watchdog_interval(), Duration(30s));
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(watchdog_interval(), std::nullopt) << "meant for another process";
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(watchdog_interval(), Duration(30s));
  unsetenv("WATCHDOG_PID");
  unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace outrider::sidecar
