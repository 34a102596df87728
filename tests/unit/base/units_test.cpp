#include "sidecar/base/units.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

TEST(Units, DurationsAreWrittenAsInTheContract) {
  EXPECT_EQ(parse_duration("250ms").value(), Duration(250ms));
  EXPECT_EQ(parse_duration("5s").value(), Duration(5s));
  EXPECT_EQ(parse_duration("10m").value(), Duration(10min));
  EXPECT_EQ(parse_duration("24h").value(), Duration(24h));
  EXPECT_EQ(parse_duration("0").value(), Duration(0));
}

TEST(Units, WhatIsNoDurationIsRefusedWithAnExample) {
  for (const char* bad : {"", "5", "5 s", "-1s", "1.5s", "5S", "s", "5d", "99999999999999999999"}) {
    const auto result = parse_duration(bad);
    ASSERT_FALSE(result.ok()) << bad;
    EXPECT_NE(result.error().message.find("250ms"), std::string::npos);
  }
}

TEST(Units, WhatIsTooLargeIsSaidToBe) {
  EXPECT_EQ(parse_duration("87840h").value(), duration_max);
  for (const char* bad : {"87841h", "9999999h", "99999999999999999999s"}) {
    EXPECT_NE(parse_duration(bad).error().message.find("at most 87840h"), std::string::npos) << bad;
    EXPECT_GT(saturated_duration(bad).value(), duration_max) << bad;
  }
  EXPECT_NE(parse_size("99999999999GiB").error().message.find("at most 1048576GiB"),
            std::string::npos);
  EXPECT_EQ(saturated_size("99999999999999999999GiB").value(), UINT64_MAX);
  EXPECT_FALSE(parse_count("99999999999999999999").ok());
  EXPECT_EQ(saturated_count("99999999999999999999").value(), UINT64_MAX);
}

TEST(Units, SizesAreWrittenAsInTheContract) {
  EXPECT_EQ(parse_size("64KiB").value(), 65536U);
  EXPECT_EQ(parse_size("1MiB").value(), 1048576U);
  EXPECT_EQ(parse_size("1GiB").value(), 1073741824U);
  EXPECT_EQ(parse_size("100").value(), 100U);
  for (const char* bad : {"", "1KB", "1k", "-1", "1.5MiB", "99999999999GiB"}) {
    EXPECT_FALSE(parse_size(bad).ok()) << bad;
  }
}

TEST(Units, FormattingIsTheInverseOfParsing) {
  for (const char* text : {"250ms", "1500ms", "5s", "90s", "10m", "24h", "0"}) {
    EXPECT_EQ(format_duration(parse_duration(text).value()), text);
  }
  for (const char* text : {"64KiB", "1MiB", "3GiB", "1500", "0"}) {
    EXPECT_EQ(format_size(parse_size(text).value()), text);
  }
}

TEST(Units, CountsAreWholeNumbers) {
  EXPECT_EQ(parse_count("42").value(), 42U);
  for (const char* bad : {"", "-1", "4x", "1e3"}) EXPECT_FALSE(parse_count(bad).ok()) << bad;
}

}  // namespace
}  // namespace outrider::sidecar
