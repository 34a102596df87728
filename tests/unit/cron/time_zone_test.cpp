#include "sidecar/cron/time_zone.hpp"

#include <cstdlib>
#include <optional>

#include <stdlib.h>
#include <sys/stat.h>

#include "support/temp_dir.hpp"
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

/// A variable of the environment for one test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// $TZ for one test.
class Tz : public Variable {
 public:
  explicit Tz(const std::string& value) : Variable("TZ", value) {}
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

TEST(TimeZone, NeverWaitsForTheWriterOfAPipe) {
  const test::TempDir dir;
  ASSERT_EQ(mkfifo(dir.file("Pipe").c_str(), 0600), 0);
  for (const std::string name : {":", "", "file:"}) {
    const Tz tz(name + dir.file("Pipe"));
    EXPECT_FALSE(TimeZone::load("local").ok()) << name;
  }
  const Variable folder("TZDIR", dir.path());
  const Tz tz("Pipe");
  EXPECT_FALSE(TimeZone::load("local").ok());
  EXPECT_FALSE(TimeZone::load("Pipe").ok());
  const Tz local("localtime");
  const Variable file("LOCALTIME", dir.file("Pipe"));
  EXPECT_FALSE(TimeZone::load("local").ok());
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
