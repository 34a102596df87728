// [schedule.NAME]: what is loaded, what is refused, and what is said of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sidecar/config/explain.hpp"
#include "sidecar/config/schedule_checks.hpp"
#include "support/manual_clock.hpp"
#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

using test::load;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// What a schedule needs besides itself; its own section begins with line 5.
const std::string base = "[spool]\npath = s.db\n[destination.a]\ntype = stdout\n";
const std::string tick = "[schedule.tick]\ncron = */5 * * * *\ntopic = cron.tick\n";

std::string errors_of(const std::string& text, const std::vector<std::string>& arguments = {}) {
  return test::messages(load_config_text(base + text, "a.conf", arguments));
}

std::string explained(const std::string& text) {
  return explain(load(base + text), test::ManualClock().now().wall, Listing::given);
}

TEST(ConfigSchedule, NeedsACronExpressionAndATopicOnly) {
  const LoadedConfig loaded = load(base + tick);
  ASSERT_EQ(loaded.config.schedules.size(), 1U);
  const ScheduleConfig& schedule = loaded.config.schedules[0];
  EXPECT_EQ(schedule.name, "tick");
  EXPECT_EQ(schedule.cron, "*/5 * * * *");
  EXPECT_EQ(schedule.topic, "cron.tick");
  EXPECT_EQ(schedule.timezone, "UTC");
  EXPECT_EQ(schedule.data, "null");
  EXPECT_EQ(schedule.missed, MissedRuns::once);
  EXPECT_EQ(schedule.missed_max, 100U);
  EXPECT_EQ(schedule.priority, proto::Priority::normal);
  EXPECT_EQ(schedule.ttl, Duration::zero());
  EXPECT_THAT(loaded.warnings, testing::IsEmpty());
}

TEST(ConfigSchedule, NeedsASpool) {
  const std::string text = "[destination.a]\ntype = stdout\n" + tick;
  EXPECT_EQ(test::messages(load_config_text(text, "a.conf")),
            "a.conf:3: [schedule.tick] requires a spool; set [spool] path\n");
}

TEST(ConfigSchedule, EveryKeyHasItsField) {
  const LoadedConfig loaded =
      load(base + tick +
           "timezone = Europe/Berlin\ndata = {\"a\": [1, \"#x; y\"]}\nkey = k 1\npriority = high\n"
           "ttl = 90s\nmissed = all\nmissed_max = 7\n[schedule.other]\ncron = @daily\ntopic = b\n"
           "missed = skip\npriority = low\ntimezone = local\n");
  ASSERT_EQ(loaded.config.schedules.size(), 2U);
  const ScheduleConfig& schedule = loaded.config.schedules[0];
  EXPECT_EQ(schedule.timezone, "Europe/Berlin");
  EXPECT_EQ(schedule.data, "{\"a\": [1, \"#x; y\"]}");
  EXPECT_EQ(schedule.key, "k 1");
  EXPECT_EQ(schedule.priority, proto::Priority::high);
  EXPECT_EQ(schedule.ttl, std::chrono::seconds(90));
  EXPECT_EQ(schedule.missed, MissedRuns::all);
  EXPECT_EQ(schedule.missed_max, 7U);
  EXPECT_EQ(loaded.config.schedules[1].missed, MissedRuns::skip);
  EXPECT_EQ(loaded.config.schedules[1].priority, proto::Priority::low);
}

TEST(ConfigSchedule, ErrorsOfItsSection) {
  EXPECT_EQ(errors_of("[schedule]\n"),
            "a.conf:5: a schedule needs a name; write [schedule.NAME]\n");
  EXPECT_EQ(errors_of("[schedul.tick]\n"),
            "a.conf:5: unknown section [schedul.tick]; did you mean \"schedule\"?\n");
  EXPECT_EQ(
      errors_of("[schedule.a b]\n"),
      "a.conf:5: \"a b\" is not a schedule name; use 1 to 40 of the characters A-Z a-z 0-9 _ -\n");
  const std::string longest(schedule_name_bytes_max, 'n');
  EXPECT_TRUE(check_schedule_name(longest).ok());
  EXPECT_FALSE(check_schedule_name(longest + "n").ok());
  EXPECT_EQ(errors_of(tick + tick),
            "a.conf:8: schedule \"tick\" is defined twice; the first is at a.conf:5\n");
  EXPECT_EQ(errors_of("[schedule.tick]\n"),
            "a.conf:5: [schedule.tick] has no cron; it is required\na.conf:5: [schedule.tick] has "
            "no topic; it is required\n");
  // A destination may have the same name.
  EXPECT_EQ(errors_of("[schedule.a]\ncron = @daily\ntopic = t\n"), "");
}

TEST(ConfigSchedule, ErrorsOfItsKeys) {
  EXPECT_EQ(errors_of(tick + "zone = UTC\n"),
            "a.conf:8: unknown key \"zone\" in [schedule.tick]\n");
  EXPECT_EQ(errors_of(tick + "timezon = UTC\n"),
            "a.conf:8: unknown key \"timezon\" in [schedule.tick]; did you mean \"timezone\"?\n");
  EXPECT_EQ(errors_of(tick + "cron = @daily\n"),
            "a.conf:8: \"cron\" is set twice; the first is at a.conf:6\n");
  for (const auto& [line, error] : std::vector<std::pair<std::string, std::string>>{
           {"timezone = Europe/Berln", "timezone: there is no time zone \"Europe/Berln\" on this "},
           {"data = {a: 1}", "data: invalid JSON at byte 1: "},
           {"data =", "data: invalid JSON at byte 0: "},
           {"missed = never", "missed: \"never\" is not one of skip | once | all"},
           {"missed = all\nmissed_max = 0", "missed_max: \"0\" is out of range; allowed: 1 to 1"},
           {"missed_max = 5", "missed_max: applies only with missed = all"},
           {"key =", "key: \"\" is not a key; write 1 to 255 bytes of UTF-8"},
           {"key = \xff", "key: "},
           {"priority = urgent", "priority: \"urgent\" is not one of low | normal | high"},
           {"ttl = 1d", "ttl: \"1d\" is not a duration"},
       }) {
    EXPECT_THAT(errors_of(tick + line + "\n"), HasSubstr(": " + error)) << line;
  }
  EXPECT_THAT(errors_of("[schedule.tick]\ncron = * * *\ntopic = a..b\n"),
              AllOf(HasSubstr("a.conf:6: cron: \"* * *\" has 3 fields; write five"),
                    HasSubstr("a.conf:7: topic: \"a..b\" is not a topic; write tokens"),
                    Not(HasSubstr("required"))));
  EXPECT_THAT(errors_of("[schedule.tick]\ncron = 0 0 30 2 *\ntopic = t\n"),
              HasSubstr("a.conf:6: cron: it never fires"));
}

TEST(ConfigSchedule, DataHasTheLimitOfEvents) {
  EXPECT_EQ(errors_of(tick + "data = \"" + std::string(200, 'x') +
                      "\"\n[ingest]\nevent_bytes_max = 100\n"),
            "a.conf:8: data: as msgpack (202) it exceeds ingest.event_bytes_max (100)\n");
}

TEST(ConfigSchedule, SchedulesHaveTheirLimit) {
  std::string text;
  for (std::size_t i = 0; i <= schedules_max; ++i) {
    text += "[schedule.s" + std::to_string(i) + "]\ncron = @daily\ntopic = t\n";
  }
  EXPECT_EQ(errors_of(text), "a.conf:1: there are 1025 schedules; at most 1024 are allowed\n");
}

TEST(ConfigSchedule, TheCommandLineChangesOneOrMakesOne) {
  const LoadedConfig loaded = load(
      base + tick,
      {"--schedule.tick.cron=@hourly", "--schedule.new.cron=@daily", "--schedule.new.topic", "t"});
  ASSERT_EQ(loaded.config.schedules.size(), 2U);
  EXPECT_EQ(loaded.config.schedules[0].cron, "@hourly");
  EXPECT_EQ(loaded.config.schedules[1].name, "new");
  EXPECT_EQ(errors_of(tick, {"--schedule.tik.topic=t"}),
            "command line: there is no schedule \"tik\" in a.conf; did you mean \"tick\"? (to "
            "create it, also give --schedule.tik.cron)\n");
}

TEST(ConfigSchedule, WarnsOfTopicsThatNobodyTakes) {
  const std::string nobody =
      "[spool]\npath = s.db\n[destination.a]\ntype = stdout\ntopics = orders.*, cron.>\n"
      "exclude = cron.tick\n";
  EXPECT_THAT(
      load(nobody + tick).warnings,
      ElementsAre(
          "a.conf:9: topic: no destination takes \"cron.tick\"; its events will be discarded"));
}

TEST(ConfigSchedule, IsExplainedWithItsNextRuns) {
  const std::string text = explained(tick + "data = {\"a\": 1}\n");
  EXPECT_THAT(text, HasSubstr("\n[schedule.tick]\n  cron = */5 * * * *"));
  EXPECT_THAT(text, HasSubstr("a.conf:8\n      Data of the events.\n"));
  EXPECT_THAT(text, HasSubstr("  * The next runs are 2026-01-31T12:05:00+00:00, "
                              "2026-01-31T12:10:00+00:00,\n    2026-01-31T12:15:00+00:00.\n"));
  EXPECT_THAT(
      explained("[schedule.tick]\ncron = 30 2 29 3 *\ntopic = t\ntimezone = Europe/Berlin\n"),
      HasSubstr("2026-03-29T03:00:00+02:00, 2027-03-29T02:30:00+02:00,\n"
                "    2028-03-29T02:30:00+02:00.\n"));
}

}  // namespace
}  // namespace outrider::sidecar
