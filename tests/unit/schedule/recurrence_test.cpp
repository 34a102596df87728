// What fires when: on time, after a stop, and when the clock jumps.
#include "sidecar/schedule/recurrence.hpp"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"
#include "sidecar/base/record.hpp"
#include "support/manual_clock.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t ns_per_s = 1'000'000'000;
/// Noon of 2026-01-31, when the manual clock begins.
constexpr std::uint64_t noon_ns = 1'769'860'800 * ns_per_s;

ScheduleConfig schedule(const std::string& cron, MissedRuns missed = MissedRuns::once) {
  ScheduleConfig config;
  config.name = "tick";
  config.cron = cron;
  config.topic = "cron.tick";
  config.missed = missed;
  return config;
}

/// A recurrence and the clock that it is asked by.
class Fixture {
 public:
  explicit Fixture(std::vector<ScheduleConfig> schedules)
      : recurrence(std::move(Recurrence::make(schedules).value())) {}
  explicit Fixture(const ScheduleConfig& one) : Fixture(std::vector<ScheduleConfig>{one}) {}

  /// The ids of the runs that are due now, without the name.
  std::vector<std::string> due() {
    std::vector<std::string> times;
    for (const Recurrence::Run& run : recurrence.due(clock.now())) {
      times.push_back(run.id.substr(run.name.size() + 1));
      recurrence.note_written(run.mark, run.due_ns);
    }
    // What has been written changes nothing more now.
    EXPECT_THAT(recurrence.due(clock.now()), IsEmpty());
    return times;
  }
  std::vector<std::string> due_in(Duration time) {
    clock.advance(time);
    return due();
  }
  void restore(std::uint64_t last_ns) {
    EXPECT_TRUE(recurrence.restore(recurrence.marks().at(0), last_ns));
  }
  Duration wait() const { return recurrence.next_deadline() - clock.now().mono; }

  test::ManualClock clock;
  Recurrence recurrence;
};

TEST(Recurrence, FiresWhenItIsTimeAndOnce) {
  Fixture f(schedule("*/5 * * * *"));
  EXPECT_THAT(f.due(), IsEmpty());
  EXPECT_THAT(f.due_in(299s), IsEmpty());
  EXPECT_THAT(f.due_in(999ms), IsEmpty());
  EXPECT_THAT(f.due_in(1ms), ElementsAre("2026-01-31T12:05:00Z"));
  EXPECT_THAT(f.due(), IsEmpty());
  EXPECT_THAT(f.due_in(300s), ElementsAre("2026-01-31T12:10:00Z"));
}

TEST(Recurrence, WaitsByTheMonotonicClockButLooksAtTheWall) {
  Fixture f(schedule("*/5 * * * *"));
  EXPECT_LE(f.recurrence.next_deadline(), f.clock.now().mono);
  f.due();
  EXPECT_EQ(f.wait(), 10s);
  f.due_in(295s + 500ms);
  EXPECT_EQ(f.wait(), 4s + 500ms);
  f.due_in(f.wait() - 1ns);
  EXPECT_EQ(f.wait(), 1ns);
  EXPECT_THAT(f.due_in(1ns), SizeIs(1));
  EXPECT_EQ(f.wait(), 10s);
}

TEST(Recurrence, WithoutSchedulesItIsNeverCalled) {
  Recurrence empty;
  EXPECT_EQ(empty.next_deadline(), never);
  EXPECT_THAT(empty.due(test::ManualClock().now()), IsEmpty());
  EXPECT_EQ(empty.next_deadline(), never);
  EXPECT_EQ(Recurrence::make({}).value().next_deadline(), never);
}

TEST(Recurrence, SaysWhatIsNextAndHowManyRunsWereLeftOut) {
  Fixture once(schedule("*/5 * * * *"));
  once.due();
  const auto next = [&] { return once.recurrence.states().at(0).next.value(); };
  EXPECT_EQ(WallTime(next()), once.clock.now().wall + 5min);
  once.due_in(5min);
  EXPECT_EQ(once.recurrence.states().at(0).missed, 0U);
  EXPECT_EQ(WallTime(next()), once.clock.now().wall + 5min);
  EXPECT_THAT(once.due_in(1h), SizeIs(1));
  EXPECT_EQ(once.recurrence.states().at(0).missed, 11U) << "one of twelve is made up for";

  Fixture skip(schedule("*/5 * * * *", MissedRuns::skip));
  skip.due();
  EXPECT_THAT(skip.due_in(62min), IsEmpty());
  EXPECT_EQ(skip.recurrence.states().at(0).missed, 12U);

  Fixture all(schedule("*/5 * * * *", MissedRuns::all));
  all.due();
  EXPECT_THAT(all.due_in(1h), SizeIs(12));
  EXPECT_EQ(all.recurrence.states().at(0).missed, 0U);
}

TEST(Recurrence, ALongGapCostsNoTime) {
  Fixture f(schedule("* * * * *"));
  f.due();
  f.due_in(std::chrono::hours(24 * 365 * 10));
  EXPECT_EQ(f.recurrence.states().at(0).missed, Recurrence::missed_count_max);
}

TEST(Recurrence, ARunIsACompleteEvent) {
  ScheduleConfig config = schedule("0 13 * * *");
  config.data = R"({"a": [1, null]})";
  config.key = "k";
  config.priority = proto::Priority::high;
  config.ttl = 90s;
  Fixture f(config);
  f.due();
  f.clock.advance(3600s + 200ms);
  const Recurrence::Run run = f.recurrence.due(f.clock.now()).at(0);
  EXPECT_EQ(run.name, "tick");
  EXPECT_EQ(run.due_ns, noon_ns + 3600 * ns_per_s);

  const proto::EventView event = f.recurrence.event_of(run);
  const RecordContext context{{}, "host", f.clock.now()};
  std::vector<std::uint8_t> bytes(record_bytes(event, context));
  write_record(event, context, bytes.data());
  const RecordView record = read_record(bytes.data());
  EXPECT_EQ(proto::as_text(record.id), "tick/2026-01-31T13:00:00Z");
  EXPECT_TRUE(record.id_is_text);
  EXPECT_EQ(record.topic, "cron.tick");
  EXPECT_EQ(record.time_ns, run.due_ns);
  EXPECT_EQ(record.key, "k");
  EXPECT_EQ(record.priority, proto::Priority::high);
  EXPECT_EQ(proto::as_text(record.data),
            "\x81\xa1"
            "a\x92\x01\xc0");
  // Counted from the time that it was due.
  EXPECT_EQ(record.expires_at, f.clock.now().mono + 90s - 200ms);
}

TEST(Recurrence, TheLongestNameMakesAnIdThatFits) {
  ScheduleConfig config = schedule("* * * * *");
  config.name = std::string(schedule_name_bytes_max, 'n');
  Fixture f(config);
  f.due();
  f.clock.advance(60s);
  EXPECT_TRUE(proto::is_id_text(f.recurrence.due(f.clock.now()).at(0).id));
}

TEST(Recurrence, TheDataIsNullIfNoneIsGiven) {
  Fixture f(schedule("* * * * *"));
  f.due();
  f.clock.advance(60s);
  const auto runs = f.recurrence.due(f.clock.now());
  EXPECT_EQ(proto::as_text(f.recurrence.event_of(runs.at(0)).data), "\xc0");
}

TEST(Recurrence, ASecondStartGoesOnWhereTheFirstEnded) {
  Fixture f(schedule("0 * * * *", MissedRuns::all));
  f.restore(noon_ns);
  EXPECT_FALSE(f.recurrence.restore("gone * * * * * UTC", noon_ns - 1000 * ns_per_s));
  EXPECT_THAT(f.due(), IsEmpty());
  EXPECT_THAT(f.due_in(1h), ElementsAre("2026-01-31T13:00:00Z"));
}

/// What is due on a start 3 h 30 min after the last run, which was at noon.
std::vector<std::string> due_after_a_stop(MissedRuns missed, std::uint64_t missed_max = 100) {
  ScheduleConfig config = schedule("0 * * * *", missed);
  config.missed_max = missed_max;
  Fixture f(config);
  f.restore(noon_ns);
  std::vector<std::string> runs = f.due_in(3h + 30min);
  EXPECT_THAT(f.due(), IsEmpty());
  EXPECT_THAT(f.due_in(30min), ElementsAre("2026-01-31T16:00:00Z"));
  return runs;
}

TEST(Recurrence, MissedRunsFollowTheirPolicy) {
  EXPECT_THAT(due_after_a_stop(MissedRuns::skip), IsEmpty());
  EXPECT_THAT(due_after_a_stop(MissedRuns::once), ElementsAre("2026-01-31T15:00:00Z"));
  EXPECT_THAT(due_after_a_stop(MissedRuns::all),
              ElementsAre("2026-01-31T13:00:00Z", "2026-01-31T14:00:00Z", "2026-01-31T15:00:00Z"));
  EXPECT_THAT(due_after_a_stop(MissedRuns::all, 2),
              ElementsAre("2026-01-31T14:00:00Z", "2026-01-31T15:00:00Z"));
  EXPECT_THAT(due_after_a_stop(MissedRuns::all, 1), ElementsAre("2026-01-31T15:00:00Z"));
}

TEST(Recurrence, SaysWhichMissedRunsAreLeftOut) {
  const auto left_out = [](MissedRuns missed, std::uint64_t missed_max) {
    ScheduleConfig config = schedule("0 * * * *", missed);
    config.missed_max = missed_max;
    Fixture f(config);
    f.restore(noon_ns);
    f.clock.advance(3h + 30min);
    f.recurrence.due(f.clock.now());
    std::vector<Recurrence::LeftOut> found = f.recurrence.left_out();
    f.recurrence.due(f.clock.now());
    EXPECT_THAT(f.recurrence.left_out(), IsEmpty()) << "said once";
    return found;
  };
  EXPECT_THAT(left_out(MissedRuns::skip, 1), IsEmpty());
  EXPECT_THAT(left_out(MissedRuns::once, 1), IsEmpty());
  EXPECT_THAT(left_out(MissedRuns::all, 3), IsEmpty());
  const auto found = left_out(MissedRuns::all, 2);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].name, "tick");
  EXPECT_NE(found[0].after.find("12:00"), std::string::npos) << found[0].after;
  EXPECT_NE(found[0].before.find("14:00"), std::string::npos) << found[0].before;
}

TEST(Recurrence, ARunIsOnTimeWithinItsMinute) {
  for (const auto& [late, is_run] : {std::pair(59s, true), std::pair(60s, false)}) {
    Fixture f(schedule("0 * * * *", MissedRuns::skip));
    f.restore(noon_ns);
    EXPECT_THAT(f.due_in(3h + late), SizeIs(is_run ? 1 : 0));
    EXPECT_THAT(f.due(), IsEmpty());
  }
}

TEST(Recurrence, NothingIsMissedBeforeTheFirstStart) {
  for (const MissedRuns missed : {MissedRuns::skip, MissedRuns::once, MissedRuns::all}) {
    Fixture f(schedule("* * * * *", missed));
    EXPECT_THAT(f.due_in(1000h), IsEmpty());
    EXPECT_THAT(f.due_in(60s), SizeIs(1));
  }
}

TEST(Recurrence, YearsOfMissedMinutesAreTheNewestHundred) {
  Fixture f(schedule("* * * * *", MissedRuns::all));
  f.restore(0);
  const std::vector<std::string> runs = f.due();
  ASSERT_THAT(runs, SizeIs(100));
  EXPECT_EQ(runs.front(), "2026-01-31T10:21:00Z");
  EXPECT_EQ(runs.back(), "2026-01-31T12:00:00Z");
  EXPECT_THAT(f.due(), IsEmpty());
}

TEST(Recurrence, TheNewestRunsAreFoundAlsoWhereTheyCrowd) {
  Fixture f(schedule("* 3 1 1 *", MissedRuns::all));
  f.restore(0);
  const std::vector<std::string> runs = f.due();
  ASSERT_THAT(runs, SizeIs(100));
  EXPECT_EQ(runs.front(), "2025-01-01T03:20:00Z");
  EXPECT_EQ(runs.back(), "2026-01-01T03:59:00Z");
}

TEST(Recurrence, AForwardJumpIsAStopOfThatLength) {
  for (const auto& [missed, count] :
       {std::pair(MissedRuns::skip, 0U), std::pair(MissedRuns::once, 1U),
        std::pair(MissedRuns::all, 5U)}) {
    Fixture f(schedule("30 * * * *", missed));
    f.due();
    f.clock.jump_wall(5h);
    // Seen at the deadline that stood before, at the latest.
    EXPECT_LE(f.wait(), 10s);
    EXPECT_THAT(f.due_in(f.wait()), SizeIs(count));
    EXPECT_THAT(f.due_in(30min), SizeIs(1));
  }
}

TEST(Recurrence, ABackwardJumpBringsNothingAgain) {
  Fixture f(schedule("0 * * * *", MissedRuns::all));
  f.due();
  EXPECT_THAT(f.due_in(1h), ElementsAre("2026-01-31T13:00:00Z"));
  f.clock.jump_wall(-3h);
  for (int minute = 0; minute < 3 * 60 + 59; ++minute) EXPECT_THAT(f.due_in(1min), IsEmpty());
  EXPECT_THAT(f.due_in(1min), ElementsAre("2026-01-31T14:00:00Z"));
}

TEST(Recurrence, ARestartWithTheClockBehindBringsNothingAgain) {
  Fixture f(schedule("0 * * * *", MissedRuns::all));
  f.restore(noon_ns + 7200 * ns_per_s);
  EXPECT_THAT(f.due(), IsEmpty());
  EXPECT_THAT(f.due_in(2h), IsEmpty());
  EXPECT_THAT(f.due_in(1h), ElementsAre("2026-01-31T15:00:00Z"));
}

TEST(Recurrence, RunsThatCouldNotBeWrittenAreHandedOutAgain) {
  Fixture f(schedule("0 * * * *", MissedRuns::all));
  f.restore(noon_ns);
  f.clock.advance(6h);
  const std::vector<Recurrence::Run> runs = f.recurrence.due(f.clock.now());
  ASSERT_THAT(runs, SizeIs(6));
  EXPECT_THAT(f.due(), IsEmpty()) << "not before it is known what became of them";
  f.recurrence.note_written(runs[0].mark, runs[0].due_ns);
  bool is_first = true;
  for (std::size_t i = 1; i < runs.size(); ++i) {
    EXPECT_EQ(f.recurrence.note_unwritten(runs[i].mark, runs[i].due_ns), is_first);
    is_first = false;
  }
  EXPECT_THAT(f.due(), IsEmpty());
  EXPECT_EQ(f.wait(), 10s);
  EXPECT_THAT(f.due_in(10s - 1ns), IsEmpty());
  EXPECT_THAT(f.due_in(1ns),
              ElementsAre("2026-01-31T14:00:00Z", "2026-01-31T15:00:00Z", "2026-01-31T16:00:00Z",
                          "2026-01-31T17:00:00Z", "2026-01-31T18:00:00Z"));
}

/// The next is not gathered while one is being written, so that neither can come twice or never.
TEST(Recurrence, ARunWaitsForTheOneBeforeIt) {
  Fixture f(schedule("* * * * *", MissedRuns::all));
  f.restore(noon_ns);
  f.clock.advance(1min);
  const auto first = f.recurrence.due(f.clock.now());
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_THAT(f.due_in(1min), IsEmpty());
  EXPECT_TRUE(f.recurrence.note_unwritten(first[0].mark, first[0].due_ns));
  EXPECT_THAT(f.due(), IsEmpty());
  f.clock.advance(10s);
  const auto again = f.recurrence.due(f.clock.now());
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].due_ns, first[0].due_ns);
  f.recurrence.note_written(again[0].mark, again[0].due_ns);
  EXPECT_THAT(f.due(), ElementsAre("2026-01-31T12:02:00Z"));
}

/// It was on time; of those that became due while it waited, `missed` says which come.
TEST(Recurrence, ARunThatWasRefusedComesHoweverManyAreDueSince) {
  for (const MissedRuns missed : {MissedRuns::once, MissedRuns::skip}) {
    Fixture f(schedule("*/5 * * * *", missed));
    f.restore(noon_ns);
    f.clock.advance(5min);
    for (int i = 0; i < 60; ++i) {
      const auto runs = f.recurrence.due(f.clock.now());
      ASSERT_THAT(runs, SizeIs(1));
      EXPECT_EQ(runs[0].id, "tick/2026-01-31T12:05:00Z");
      f.recurrence.note_unwritten(runs[0].mark, runs[0].due_ns);
      EXPECT_THAT(f.due(), IsEmpty());
      f.clock.advance(10s);
    }
    const auto runs = f.recurrence.due(f.clock.now());
    ASSERT_THAT(runs, SizeIs(1));
    EXPECT_EQ(runs[0].id, "tick/2026-01-31T12:05:00Z");
    f.recurrence.note_written(runs[0].mark, runs[0].due_ns);
    EXPECT_THAT(f.due(), ElementsAre("2026-01-31T12:15:00Z"));
    // A run that is missed later did not wait.
    EXPECT_THAT(f.due_in(23min), SizeIs(missed == MissedRuns::skip ? 0 : 1));
  }
}

TEST(Recurrence, AllRunsThatWereRefusedComeAgainWhateverIsDueSince) {
  ScheduleConfig config = schedule("* * * * *", MissedRuns::all);
  config.missed_max = 2;
  Fixture f(config);
  f.restore(noon_ns);
  f.clock.advance(2min);
  const auto refused = f.recurrence.due(f.clock.now());
  ASSERT_THAT(refused, SizeIs(2));
  for (const auto& run : refused) f.recurrence.note_unwritten(run.mark, run.due_ns);
  EXPECT_THAT(f.due(), IsEmpty());
  f.clock.advance(2min);
  const auto again = f.recurrence.due(f.clock.now());
  ASSERT_THAT(again, SizeIs(2));
  for (const auto& run : again) f.recurrence.note_written(run.mark, run.due_ns);
  EXPECT_EQ(again[0].due_ns, refused[0].due_ns);
  EXPECT_THAT(f.due(), ElementsAre("2026-01-31T12:03:00Z", "2026-01-31T12:04:00Z"));
}

TEST(Recurrence, WhatCouldNotBeWrittenWasNotMissed) {
  Fixture f(schedule("0 * * * *", MissedRuns::skip));
  f.restore(noon_ns);
  f.clock.advance(1h);
  for (int i = 0; i < 100; ++i) {
    const auto runs = f.recurrence.due(f.clock.now());
    ASSERT_THAT(runs, SizeIs(1));
    f.recurrence.note_unwritten(runs[0].mark, runs[0].due_ns);
    f.due();
    f.clock.advance(10s);
  }
  EXPECT_THAT(f.due(), ElementsAre("2026-01-31T13:00:00Z"));
}

TEST(Recurrence, AMarkIsOfTheExpressionAndTheZone) {
  ScheduleConfig config = schedule("0 * * * *");
  Fixture f(config);
  const std::string mark = f.recurrence.marks().at(0);
  for (const auto& [cron, zone] : {std::pair{"1 * * * *", "UTC"}, {"0 * * * *", "Asia/Tokyo"}}) {
    config.cron = cron;
    config.timezone = zone;
    Fixture changed(config);
    EXPECT_FALSE(changed.recurrence.restore(mark, noon_ns));
    EXPECT_THAT(changed.due_in(30min), IsEmpty()) << "it has missed nothing";
  }
}

TEST(Recurrence, ALastRunThatIsFarAheadIsSaidOnce) {
  Fixture f(schedule("0 * * * *"));
  f.restore(noon_ns + 3600 * ns_per_s);
  EXPECT_THAT(f.recurrence.find_ahead(f.clock.now()), IsEmpty());
  f.restore(noon_ns + 86'400 * ns_per_s);
  const auto ahead = f.recurrence.find_ahead(f.clock.now());
  ASSERT_THAT(ahead, SizeIs(1));
  EXPECT_EQ(ahead[0].until, "2026-02-01T12:00:00+00:00");
  EXPECT_THAT(f.recurrence.find_ahead(f.clock.now()), IsEmpty());
  f.clock.advance(25h);
  EXPECT_THAT(f.recurrence.find_ahead(f.clock.now()), IsEmpty());
}

TEST(Recurrence, ManyAtATimeComeInSeveralCalls) {
  std::vector<ScheduleConfig> configs;
  for (int i = 0; i < 250; ++i) {
    configs.push_back(schedule("* * * * *", MissedRuns::all));
    configs.back().name += std::to_string(i);
  }
  Fixture f(configs);
  f.due();
  f.clock.advance(60s);
  std::set<std::string> ids;
  for (int call = 0; call < 3; ++call) {
    const auto& runs = f.recurrence.due(f.clock.now());
    EXPECT_LE(runs.size(), Recurrence::runs_max);
    for (const Recurrence::Run& run : runs) ids.insert(run.id);
    EXPECT_EQ(f.wait() <= 0s, call < 2);
  }
  EXPECT_THAT(ids, SizeIs(250));
  EXPECT_THAT(f.due(), IsEmpty());
  EXPECT_EQ(f.wait(), 10s);
}

TEST(Recurrence, FollowsTheClocksOfItsZone) {
  ScheduleConfig config = schedule("30 2 * * *");
  config.timezone = "Europe/Berlin";
  Fixture f(config);
  // 28 March 2026, 02:30 in Berlin; the night after it has no such time.
  f.restore(1'774'661'400 * ns_per_s);
  f.clock.jump_wall(WallTime(1'774'661'400s) - f.clock.now().wall);
  std::vector<std::string> runs;
  for (int hour = 0; hour < 49; ++hour) {
    for (const std::string& run : f.due_in(30min)) runs.push_back(run);
    for (const std::string& run : f.due_in(30min)) runs.push_back(run);
  }
  EXPECT_THAT(runs, ElementsAre("2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"));
}

TEST(Recurrence, EachRunOnceWhateverTheClocksDo) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    const ScheduleConfig config =
        schedule(random.chance(0.5) ? "*/5 * * * *" : "17 * * * *", MissedRuns::all);
    Fixture f(config);
    std::uint64_t last_written_ns = noon_ns;
    f.restore(last_written_ns);
    std::vector<std::string> ids;
    for (int step = 0; step < 200; ++step) {
      f.clock.advance(std::chrono::seconds(random.below(900)));
      if (random.chance(0.05)) f.clock.jump_wall(std::chrono::seconds(random.below(7200)));
      if (random.chance(0.05)) f.clock.jump_wall(-std::chrono::seconds(random.below(7200)));
      if (random.chance(0.1)) {
        f.recurrence = std::move(Recurrence::make({config}).value());
        f.restore(last_written_ns);
      }
      for (const Recurrence::Run& run : f.recurrence.due(f.clock.now())) {
        EXPECT_GT(run.due_ns, last_written_ns);
        EXPECT_LE(run.due_ns, f.clock.now().wall_ns());
        last_written_ns = run.due_ns;
        ids.push_back(run.id);
        f.recurrence.note_written(run.mark, run.due_ns);
      }
    }
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end())) << seed;
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size()) << seed;
  }
}

TEST(Recurrence, SaysWhichScheduleIsWrong) {
  ScheduleConfig no_zone = schedule("* * * * *");
  no_zone.timezone = "Nowhere";
  ScheduleConfig no_json = schedule("* * * * *");
  no_json.data = "{";
  for (const ScheduleConfig& bad : {schedule("* * *"), no_zone, no_json}) {
    const auto made = Recurrence::make({bad});
    ASSERT_FALSE(made.ok());
    EXPECT_TRUE(made.error().message.starts_with("schedule tick: ")) << made.error().message;
  }
}

}  // namespace
}  // namespace outrider::sidecar
