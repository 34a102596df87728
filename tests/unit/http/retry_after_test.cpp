#include "sidecar/http/retry_after.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/manual_clock.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// The clock of the tests stands at Sat, 31 Jan 2026 12:00:00 GMT.
std::optional<Duration> parse(std::string_view text, std::string_view date_header = "") {
  return parse_retry_after(text, date_header, test::ManualClock().now().wall);
}

TEST(RetryAfter, TakesSeconds) {
  EXPECT_EQ(parse("0"), seconds(0));
  EXPECT_EQ(parse("120"), seconds(120));
  EXPECT_EQ(parse("  7 "), seconds(7));
}

TEST(RetryAfter, TakesEachFormOfDate) {
  EXPECT_EQ(parse("Sat, 31 Jan 2026 12:01:30 GMT"), seconds(90));
  EXPECT_EQ(parse("Saturday, 31-Jan-26 12:01:30 GMT"), seconds(90));
  EXPECT_EQ(parse("Sat Jan 31 12:01:30 2026"), seconds(90));
  EXPECT_EQ(parse("Sat Jan  3 12:01:30 2026"), seconds(0));
}

TEST(RetryAfter, TakesADateOfThePastForNow) {
  EXPECT_EQ(parse("Sun, 06 Nov 1994 08:49:37 GMT"), seconds(0));
}

TEST(RetryAfter, CountsADateFromTheReceiversOwnClock) {
  EXPECT_EQ(parse("Sat, 31 Jan 2026 13:01:30 GMT", "Sat, 31 Jan 2026 13:00:00 GMT"), seconds(90));
  EXPECT_EQ(parse("Sat, 31 Jan 2026 11:01:30 GMT", " Sat, 31 Jan 2026 11:00:00 GMT"), seconds(90));
  EXPECT_EQ(parse("Sat, 31 Jan 2026 12:01:30 GMT", "yesterday"), seconds(90));
  EXPECT_EQ(parse("Sat, 31 Jan 2026 12:01:30 GMT", std::string(1000, 'x')), seconds(90));
  EXPECT_EQ(parse("120", "Sat, 31 Jan 2026 13:00:00 GMT"), seconds(120));
}

TEST(RetryAfter, IsCapped) {
  EXPECT_EQ(parse("86400"), retry_after_max);
  EXPECT_EQ(parse("99999999999999999999999999"), retry_after_max);
  EXPECT_EQ(parse("Sun, 01 Feb 2026 12:00:00 GMT"), retry_after_max);
  EXPECT_EQ(parse("Sun, 01 Feb 2261 12:00:00 GMT"), retry_after_max);
}

TEST(RetryAfter, RefusesTheRest) {
  for (const char* text :
       {"", " ", "-1", "1.5", "10s", "soon", "Sat, 31 Jan 2026 12:01:30", "Sat, 31 Jan 2026",
        "Sat, 32 Jan 2026 12:00:00 GMT", "Sat, 31 Foo 2026 12:00:00 GMT",
        "Sat, 31 Jan 2026 25:00:00 GMT", "Sat, 31 Jan 2026 12:01:30 GMT more",
        "Sat, 31 Jan -026 12:01:30 GMT", "Sat, 31 Jan 9999 12:01:30 GMT", "31 Jan 2026",
        "Foo, 31 Jan 2026 12:01:30 GMT", "Mon, 31 Feb 2026 12:00:00 GMT",
        "Sat, 31 Jan 26 12:01:30 GMT"}) {
    EXPECT_EQ(parse(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse(std::string(1000, '1')), std::nullopt);
}

}  // namespace
}  // namespace outrider::sidecar
