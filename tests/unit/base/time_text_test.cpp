#include "sidecar/base/time_text.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

TEST(TimeText, WritesNineDecimalsAndUtc) {
  TimeText time;
  EXPECT_EQ(time.format_ns(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(time.format_ns(1'769'860'800'123'456'789), "2026-01-31T12:00:00.123456789Z");
  EXPECT_EQ(time.format_ns(1'709'251'199'000'000'001), "2024-02-29T23:59:59.000000001Z");
  EXPECT_EQ(time.format_ns(UINT64_MAX), "2554-07-21T23:34:33.709551615Z");
}

TEST(TimeText, TheKeptSecondDoesNotStick) {
  TimeText time;
  EXPECT_EQ(time.format(1, 5), "1970-01-01T00:00:01.000000005Z");
  EXPECT_EQ(time.format(1, 6), "1970-01-01T00:00:01.000000006Z");
  EXPECT_EQ(time.format(86'400, 6), "1970-01-02T00:00:00.000000006Z");
  EXPECT_EQ(time.format(0, 0), "1970-01-01T00:00:00.000000000Z");
}

TEST(TimeText, ReachesTheEndsOfTheCalendar) {
  TimeText time;
  EXPECT_EQ(time.format(-1, 999'999'999), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(time.format(TimeText::seconds_min, 0), "0000-01-01T00:00:00.000000000Z");
  EXPECT_EQ(time.format(TimeText::seconds_max, 0), "9999-12-31T23:59:59.000000000Z");
}

}  // namespace
}  // namespace outrider::sidecar
