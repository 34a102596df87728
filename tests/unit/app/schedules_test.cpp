// Recurring events through the whole App: each run is one event, whatever happens.
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "support/app_fixture.hpp"
#include "support/storage_twin.hpp"
#include "support/twin_disk.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class SchedulesTest : public testing::Test {
 protected:
  SchedulesTest() {
    config_.spool.path = "spool.db";
    DestinationConfig destination;
    destination.name = "all";
    destination.format = BodyFormat::ndjson;
    config_.destinations.push_back(destination);
    ScheduleConfig schedule;
    schedule.name = "tick";
    schedule.cron = "*/5 * * * *";
    schedule.topic = "cron.tick";
    schedule.data = R"({"n":1})";
    config_.schedules.push_back(schedule);
    start();
  }

  void start() {
    StorageSettings settings;
    settings.path = config_.spool.path;
    settings.dead = {100, 1U << 20U, 24h};
    settings.lanes = {"all"};
    exchange_ = std::make_unique<Exchange>();
    auto opened = StorageAgent::open(settings, std::make_unique<test::TwinDisk>(twin_), *exchange_,
                                     log_, clock_.now());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    storage_ = std::move(opened.value());
    fake_ = std::make_unique<test::FakeApp>(config_, 1, exchange_.get(), storage_->state());
    fake_->transports[0]->on_start = [this](const test::SeenAttempt& attempt, const Now&) {
      bodies_.push_back(attempt.body);
    };
  }

  /// As by SIGKILL.
  void crash() {
    twin_.crash(test::StorageCrash::process);
    fake_.reset();
    storage_.reset();
    twin_.restart();
    start();
  }

  void turn() {
    for (int i = 0; i < 20; ++i) {
      fake_->app->do_work(clock_.now());
      storage_->do_work(clock_.now());
      while (!fake_->transports[0]->open.empty()) fake_->transports[0]->answer(200);
    }
  }

  void pass(Duration duration) {
    for (const MonoTime end = clock_.now().mono + duration; clock_.now().mono < end;) {
      clock_.advance(10s);
      turn();
    }
  }

  /// The App uses config_ from here on.
  void reload() {
    fake_->preparer.wanted = config_;
    const std::uint64_t ticket = fake_->reloads.ask("a test");
    turn();
    const auto outcome = fake_->reloads.outcome(ticket);
    ASSERT_TRUE(outcome && outcome->result == ReloadResult::applied);
  }
  ScheduleSnapshot snapshot_of(const std::string& name) {
    fake_->clock = clock_;
    for (const ScheduleSnapshot& it : fake_->snapshot()->schedules) {
      if (it.name == name) return it;
    }
    ADD_FAILURE() << "there is no schedule " << name;
    return {};
  }

  /// The times of the runs whose events were sent, in their order.
  std::vector<std::string> runs() const {
    std::vector<std::string> found;
    const std::string prefix = "\"id\":\"tick/2026-01-31T";
    for (const std::string& body : bodies_) {
      for (std::size_t at = 0; (at = body.find(prefix, at)) != std::string::npos; ++at) {
        found.push_back(body.substr(at + prefix.size(), 5));
      }
    }
    return found;
  }

  Config config_;
  test::ManualClock clock_;
  test::MemoryLog log_;
  test::StorageTwin twin_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<StorageAgent> storage_;
  std::unique_ptr<test::FakeApp> fake_;
  std::vector<std::string> bodies_;
};

using Times = std::vector<std::string>;

TEST_F(SchedulesTest, EachRunIsOneEvent) {
  pass(16min);
  EXPECT_EQ(runs(), (Times{"12:05", "12:10", "12:15"}));
  EXPECT_EQ(fake_->app->report().destinations[0].ledger.delivered, 3U);
}

TEST_F(SchedulesTest, AReloadLeavesAnUnchangedScheduleAsItIs) {
  pass(6min);
  config_.schedules[0].data = R"({"n":2})";
  reload();
  pass(10min);
  EXPECT_EQ(runs(), (Times{"12:05", "12:10", "12:15"})) << "none twice, none left out";
  EXPECT_NE(bodies_.back().find("\"n\":2"), std::string::npos) << bodies_.back();
  EXPECT_EQ(snapshot_of("tick").runs, 3U);
}

TEST_F(SchedulesTest, AScheduleWithAnotherExpressionBeginsAnewAndItsCountersGoOn) {
  pass(6min);
  config_.schedules[0].cron = "*/15 * * * *";
  reload();
  pass(10min);
  EXPECT_EQ(runs(), (Times{"12:05", "12:15"}));
  EXPECT_EQ(snapshot_of("tick").runs, 2U);
  crash();
  pass(15min);
  EXPECT_EQ(runs(), (Times{"12:05", "12:15", "12:30"})) << "the mark is that of the new expression";
}

TEST_F(SchedulesTest, SchedulesComeAndGo) {
  const ScheduleConfig tick = config_.schedules[0];
  config_.schedules.clear();
  reload();
  pass(11min);
  EXPECT_EQ(runs(), Times{});
  config_.schedules = {tick};
  reload();
  pass(5min);
  EXPECT_EQ(runs(), (Times{"12:15"})) << "it has missed none";
  config_.schedules.clear();
  reload();
  crash();
  config_.schedules = {tick};
  reload();
  pass(5min);
  EXPECT_EQ(runs(), (Times{"12:15", "12:20"}));
}

TEST_F(SchedulesTest, ASnapshotSaysWhatRanWhatWasLateAndWhatIsNext) {
  const auto tick = [this] {
    fake_->clock = clock_;
    return fake_->snapshot()->schedules.at(0);
  };
  turn();
  EXPECT_EQ(tick().name, "tick");
  EXPECT_EQ(tick().runs, 0U);
  EXPECT_FALSE(tick().last);
  const WallTime first = clock_.now().wall + 5min;
  EXPECT_EQ(tick().next, first);
  pass(6min);
  EXPECT_EQ(tick().runs, 1U);
  EXPECT_EQ(tick().last, first);
  EXPECT_EQ(tick().next, first + 5min);
  EXPECT_EQ(tick().late, 0U);
  clock_.advance(62min);
  turn();
  EXPECT_EQ(tick().runs, 2U) << "one of those that were missed is made up for";
  EXPECT_EQ(tick().late, 1U);
  EXPECT_EQ(tick().missed, 11U);
}

TEST_F(SchedulesTest, ARunThatWasStoredDoesNotComeAgainAfterACrash) {
  pass(5min);
  crash();
  pass(6min);
  EXPECT_EQ(runs(), (Times{"12:05", "12:10"}));
}

TEST_F(SchedulesTest, ARunThatWasNotStoredComesAfterTheCrash) {
  turn();
  clock_.advance(5min);
  fake_->app->do_work(clock_.now());
  crash();
  turn();
  EXPECT_EQ(runs(), (Times{"12:05"}));
}

TEST_F(SchedulesTest, ARunThatTheDiskRefusesComesAgain) {
  turn();
  twin_.fail({.operation = test::StorageOperation::write, .code = SQLITE_IOERR_WRITE, .times = 4});
  clock_.advance(5min);
  turn();
  EXPECT_EQ(runs(), Times{});
  pass(1min);
  EXPECT_EQ(runs(), (Times{"12:05"}));
}

TEST_F(SchedulesTest, AFullDiskIsNotAskedWithoutEndAndNothingIsCountedTwice) {
  turn();
  twin_.fail({.operation = test::StorageOperation::write,
              .code = SQLITE_FULL,
              .times = test::StorageFault::forever});
  clock_.advance(5min);
  turn();
  const std::uint64_t operations = twin_.count(test::StorageOperation::write);
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_EQ(twin_.count(test::StorageOperation::write), operations)
      << "it is tried again in ten seconds";
  EXPECT_EQ(fake_->app->report().destinations[0].ledger.accepted, 0U);
  EXPECT_EQ(fake_->log.count("the run of a schedule cannot be stored"), 1U);
  twin_.clear_faults();
  pass(1min);
  EXPECT_EQ(runs(), (Times{"12:05"}));
  EXPECT_EQ(fake_->app->report().destinations[0].ledger.dropped_total(), 0U);
}

TEST_F(SchedulesTest, ARunWaitsForRoomAtItsDestination) {
  config_.destinations[0].spool_bytes_max = 1;
  crash();
  pass(6min);
  EXPECT_EQ(runs(), Times{});
  EXPECT_EQ(fake_->log.count("the run of a schedule cannot be stored"), 1U);
  EXPECT_EQ(fake_->app->report().destinations[0].ledger.dropped_total(), 0U);
  config_.destinations[0].spool_bytes_max = 1U << 20U;
  crash();
  pass(1min);
  EXPECT_EQ(runs(), (Times{"12:05"}));
}

TEST_F(SchedulesTest, AllMissedRunsComeAfterTheDiskRefusedThemTogether) {
  config_.schedules[0].missed = MissedRuns::all;
  crash();
  turn();
  clock_.advance(30min);
  twin_.fail({.operation = test::StorageOperation::write, .code = SQLITE_IOERR_WRITE, .times = 4});
  turn();
  EXPECT_EQ(runs(), Times{});
  pass(1min);
  EXPECT_EQ(runs(), (Times{"12:05", "12:10", "12:15", "12:20", "12:25", "12:30"}));
}

TEST_F(SchedulesTest, AnEditedScheduleDoesNotRunForThePast) {
  pass(6min);
  config_.schedules[0].cron = "*/7 * * * *";
  crash();
  clock_.advance(20min);
  turn();
  EXPECT_EQ(runs(), (Times{"12:05"}));
  pass(3min);
  EXPECT_EQ(runs(), (Times{"12:05", "12:28"}));
}

TEST_F(SchedulesTest, AScheduleThatWasGoneForARunBeginsAnew) {
  pass(6min);
  const auto schedules = std::exchange(config_.schedules, {});
  crash();
  turn();
  config_.schedules = schedules;
  clock_.advance(1h);
  crash();
  turn();
  EXPECT_EQ(runs(), (Times{"12:05"}));
}

TEST_F(SchedulesTest, AClockThatWasWrongOnceIsSaid) {
  clock_.jump_wall(24h);
  pass(6min);
  clock_.jump_wall(-24h);
  crash();
  turn();
  EXPECT_EQ(fake_->log.count("the last run of a schedule is ahead of the clock"), 1U);
}

TEST_F(SchedulesTest, OneRunStandsForThoseThatWereMissed) {
  turn();
  crash();
  clock_.advance(1h);
  turn();
  EXPECT_EQ(runs(), (Times{"13:00"}));
}

TEST_F(SchedulesTest, AWallClockThatGoesBackRunsNothingTwice) {
  pass(6min);
  clock_.jump_wall(-10min);
  pass(10min);
  EXPECT_EQ(runs(), (Times{"12:05"}));
  pass(5min);
  EXPECT_EQ(runs(), (Times{"12:05", "12:10"}));
}

}  // namespace
}  // namespace outrider::sidecar
