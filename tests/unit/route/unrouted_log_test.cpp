#include "sidecar/route/unrouted_log.hpp"

#include <gtest/gtest.h>

#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"

namespace outrider::sidecar {
namespace {

TEST(UnroutedLog, NamesEachTopicOnceAndOnlySoMany) {
  test::MemoryLog memory;
  test::ManualClock clock;
  UnroutedLog log(memory);
  for (int times = 0; times < 3; ++times) {
    for (std::size_t i = 0; i < UnroutedLog::topics_max; ++i) {
      log.note("topic." + std::to_string(i), clock.now());
    }
  }
  EXPECT_EQ(memory.lines.size(), UnroutedLog::topics_max);
  EXPECT_EQ(memory.count("topic=topic.7"), 1 + 10) << "and those that begin with it";
  for (int i = 0; i < 1000; ++i) log.note("more." + std::to_string(i), clock.now());
  EXPECT_EQ(memory.lines.size(), UnroutedLog::topics_max + 1);
  clock.advance(UnroutedLog::more_interval);
  log.note("more", clock.now());
  EXPECT_EQ(memory.count("events=1000"), 1);
}

}  // namespace
}  // namespace outrider::sidecar
