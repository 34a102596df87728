#include "sidecar/cron/time_zone.hpp"

#include <cstdlib>
#include <optional>

#include <stdlib.h>

#include "unit/cron/cron_support.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::hours;
using test::at;
using test::zone;

TEST(TimeZone, KnowsTheSpanBetweenTwoChanges) {
  const ZoneSpan summer = zone("Europe/Berlin").span_at(at("2026-07-01T00:00"));
  EXPECT_EQ(summer.begin, at("2026-03-29T01:00"));
  EXPECT_EQ(summer.end, at("2026-10-25T01:00"));
  EXPECT_EQ(summer.offset, hours(2));
  EXPECT_EQ(summer.offset_before, hours(1));
}

TEST(TimeZone, ASpanBeginsWithItsChange) {
  const TimeZone berlin = zone("Europe/Berlin");
  const Instant change = at("2026-03-29T01:00");
  EXPECT_EQ(berlin.span_at(change).begin, change);
  EXPECT_EQ(berlin.span_at(change - std::chrono::seconds(1)).end, change);
}

TEST(TimeZone, KnowsTheRuleBehindTheLastTableEntry) {
  EXPECT_EQ(zone("Europe/Berlin").text(at("2061-07-01T00:00")), "2061-07-01T02:00:00+02:00");
  EXPECT_EQ(zone("America/New_York").text(at("2200-01-01T00:00")), "2199-12-31T19:00:00-05:00");
}

TEST(TimeZone, WithoutChangesThereIsOneSpan) {
  const ZoneSpan span = zone("UTC").span_at(at("2026-07-01T00:00"));
  EXPECT_LT(span.begin, at("0001-01-01T00:00"));
  EXPECT_GT(span.end, at("9999-01-01T00:00"));
  EXPECT_EQ(span.offset, hours(0));
}

TEST(TimeZone, WritesOffsetsOfHalfHoursOnBothSides) {
  EXPECT_EQ(zone("Asia/Kathmandu").text(at("2026-01-31T12:00")), "2026-01-31T17:45:00+05:45");
  EXPECT_EQ(zone("America/St_Johns").text(at("2026-01-31T12:00")), "2026-01-31T08:30:00-03:30");
  EXPECT_EQ(zone("UTC").text(at("2026-01-31T12:00")), "2026-01-31T12:00:00+00:00");
}

TEST(TimeZone, LocalIsWhatTheMachineIsSetTo) {
  EXPECT_TRUE(TimeZone::load("local").ok());
}

/// $TZ for one test.
class Tz {
 public:
  explicit Tz(const char* value) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    setenv("TZ", value, 1);
  }
  ~Tz() { before_ ? setenv("TZ", before_->c_str(), 1) : unsetenv("TZ"); }
  Tz(const Tz&) = delete;
  Tz& operator=(const Tz&) = delete;

 private:
  std::optional<std::string> before_;
};

TEST(TimeZone, LocalIsWhatTzSays) {
  for (const char* name : {"Asia/Kathmandu", ":Asia/Kathmandu"}) {
    const Tz tz(name);
    EXPECT_EQ(zone("local").text(at("2026-01-31T12:00")), "2026-01-31T17:45:00+05:45") << name;
  }
  const Tz tz("");
  EXPECT_EQ(zone("local").text(at("2026-01-31T12:00")), "2026-01-31T12:00:00+00:00");
}

TEST(TimeZone, LocalIsNotUtcIfTzCannotBeRead) {
  for (const char* rules : {"CET-1CEST,M3.5.0,M10.5.0/3", "Nowhere/City"}) {
    const Tz tz(rules);
    const auto loaded = TimeZone::load("local");
    ASSERT_FALSE(loaded.ok()) << rules;
    EXPECT_NE(loaded.error().message.find(rules), std::string::npos) << loaded.error().message;
  }
}

TEST(TimeZone, RefusesWhatIsNoZone) {
  for (const char* name : {"", "Nowhere/City", "Europe", "/etc/passwd", "../../../etc/passwd",
                           "Europe/../../../../etc/passwd", "tzdata.zi", "Europe/Berlin ", "\n"}) {
    EXPECT_FALSE(TimeZone::load(name).ok()) << name;
  }
  EXPECT_FALSE(TimeZone::load(std::string(100'000, 'A')).ok());
  EXPECT_EQ(TimeZone::load("Europe/Berln").error().message,
            "there is no time zone \"Europe/Berln\" on this machine (package tzdata); write a name "
            "as in Europe/Berlin, UTC or local");
}

}  // namespace
}  // namespace outrider::sidecar
