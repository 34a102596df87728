// Snapshots of the whole App, and what others may ask of it.
#include "sidecar/observe/snapshot.hpp"

#include <gtest/gtest.h>

#include "support/app_fixture.hpp"
#include "support/storage_twin.hpp"
#include "support/twin_disk.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::event_bytes;
using test::frame_bytes;
using test::numbered_data;

Config destinations(std::size_t count) {
  Config config;
  config.shutdown_linger = 10s;
  config.source = {"outrider.conf", "abc"};
  for (std::size_t i = 0; i < count; ++i) {
    DestinationConfig destination;
    destination.name = "d" + std::to_string(i);
    destination.format = BodyFormat::ndjson;
    config.destinations.push_back(destination);
  }
  return config;
}

std::string one_event(std::uint64_t number = 1) {
  return frame_bytes({event_bytes("orders.paid", 1, numbered_data(number))});
}

TEST(Snapshot, IsTakenOnlyWhenSomebodyAsks) {
  test::FakeApp fake(destinations(2));
  fake.turn();
  EXPECT_EQ(fake.board.latest(), nullptr);
  fake.ask_for_snapshot();
  fake.turn();
  const auto first = fake.board.latest();
  ASSERT_NE(first, nullptr);
  fake.turn();
  EXPECT_EQ(fake.board.latest(), first);
  EXPECT_EQ(first->number, 1U);
  EXPECT_EQ(fake.snapshot()->number, 2U);
}

TEST(Snapshot, SaysWhatRunsSinceWhenAndWithWhichConfiguration) {
  test::FakeApp fake(destinations(1));
  fake.turn();
  const WallTime started_at = fake.clock.now().wall;
  fake.clock.advance(1h);
  const auto it = fake.snapshot();
  EXPECT_EQ(it->started_at, started_at);
  EXPECT_EQ(it->taken_at, fake.clock.now().mono);
  EXPECT_EQ(it->taken_at_wall, fake.clock.now().wall);
  EXPECT_EQ(it->version, OUTRIDER_VERSION);
  EXPECT_EQ(it->config.file, "outrider.conf");
  EXPECT_EQ(it->config.hash, "abc");
  EXPECT_EQ(it->config.generation, 1U);
  EXPECT_EQ(it->config.loaded_at, started_at);
  EXPECT_EQ(it->phase, LifePhase::running);
  EXPECT_FALSE(it->spool);
  EXPECT_EQ(it->boot_id.size(), 36U);
  EXPECT_EQ(it->boot_id, fake.snapshot()->boot_id);
  test::FakeApp other(destinations(1), 2);
  EXPECT_NE(it->boot_id, other.snapshot()->boot_id);
}

TEST(Snapshot, HasTheCountersOfIngest) {
  test::FakeApp fake(destinations(1));
  fake.source->frames = {one_event(), "garbage", one_event(2)};
  fake.turn();
  const auto it = fake.snapshot();
  EXPECT_EQ(it->ingest.frames, 3U);
  EXPECT_EQ(it->ingest.events, 2U);
  EXPECT_EQ(it->ingest.frames_refused, 1U);
  ASSERT_EQ(it->destinations.size(), 1U);
  EXPECT_EQ(it->destinations[0].ledger.accepted, 2U);
}

TEST(Snapshot, OfManyDestinationsTakesSeveralTurnsAndEachDestinationIsWhole) {
  test::FakeApp fake(destinations(200));
  fake.turn();
  fake.ask_for_snapshot();
  int turns = 0;
  for (; fake.board.latest() == nullptr; ++turns) {
    // Events go on coming meanwhile.
    fake.source->frames.push_back(one_event());
    EXPECT_GT(fake.app->do_work(fake.clock.now()), 0) << "it is to be gone on with";
  }
  EXPECT_EQ(turns, 4);
  const auto it = fake.board.latest();
  ASSERT_EQ(it->destinations.size(), 200U);
  for (const DestinationSnapshot& destination : it->destinations) {
    EXPECT_TRUE(destination.ledger.is_balanced());
  }
  EXPECT_EQ(it->destinations.front().ledger.accepted, 1U);
  EXPECT_EQ(it->destinations.back().ledger.accepted, 4U);
}

TEST(Snapshot, FollowsAStopToItsEnd) {
  test::FakeApp fake(destinations(1));
  fake.source->frames = {one_event()};
  fake.turn();
  fake.app->request_stop();
  EXPECT_EQ(fake.snapshot()->phase, LifePhase::stopping);
  fake.clock.advance(1s);
  fake.turn();
  fake.clock.advance(10s);
  fake.turn();
  ASSERT_TRUE(fake.app->is_finished());
  const auto last = fake.board.latest();
  EXPECT_EQ(last->phase, LifePhase::stopped);
  EXPECT_EQ(last->destinations[0].ledger.dropped_for(DropReason::linger), 1U);
}

class SpoolSnapshotTest : public ::testing::Test {
 protected:
  void start(const Config& config) {
    StorageSettings settings;
    settings.path = "spool.db";
    settings.dead = {100, 1U << 20U, 24h};
    settings.bytes_max = config.spool.bytes_max;
    for (const DestinationConfig& destination : config.destinations) {
      settings.lanes.push_back(destination.name);
    }
    auto opened = StorageAgent::open(settings, std::make_unique<test::TwinDisk>(twin_), exchange_,
                                     log_, clock_.now());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    storage_ = std::move(opened.value());
    fake_ = std::make_unique<test::FakeApp>(config, 1, &exchange_, storage_->state());
  }
  void turn() {
    for (int i = 0; i < 10; ++i) {
      fake_->app->do_work(fake_->clock.now());
      storage_->do_work(fake_->clock.now());
    }
  }
  void send(int frames) {
    const std::vector<std::string> events(200, event_bytes("orders.paid", 1, numbered_data(1)));
    for (int i = 0; i < frames; ++i) fake_->source->frames.push_back(frame_bytes(events));
    turn();
  }

  test::StorageTwin twin_;
  test::ManualClock clock_;
  test::MemoryLog log_;
  Exchange exchange_;
  std::unique_ptr<StorageAgent> storage_;
  std::unique_ptr<test::FakeApp> fake_;
};

Config spilling(std::size_t count) {
  Config config = destinations(count);
  config.spool.path = "spool.db";
  config.spool.free_bytes_min = 0;
  for (DestinationConfig& destination : config.destinations) {
    destination.when_full = WhenFull::spool;
    destination.queue_events_max = 1;
  }
  return config;
}

TEST_F(SpoolSnapshotTest, KnowsTheSpoolFromTheStartAndASecondAfterItChanged) {
  start(spilling(1));
  const auto first = fake_->snapshot();
  ASSERT_TRUE(first->spool);
  EXPECT_GT(first->spool->database_bytes, 0U);
  EXPECT_GT(first->spool->disk_free_bytes, 0U);
  EXPECT_EQ(first->spool->bytes_max, 4ULL << 30U);
  EXPECT_EQ(first->spool->bytes, first->spool->database_bytes + first->spool->log_bytes);
  send(10);
  const MonoTime measured_at = storage_->next_deadline();
  ASSERT_LE(measured_at, fake_->clock.now().mono + 1s) << "the last change is to be looked at";
  fake_->clock.advance(1s);
  turn();
  const auto second = fake_->snapshot();
  EXPECT_GT(second->spool->transactions, first->spool->transactions);
  EXPECT_GT(second->spool->bytes, first->spool->bytes);
  EXPECT_FALSE(second->spool->is_failing);
  EXPECT_GT(second->destinations[0].lane_bytes, 0U);
}

TEST_F(SpoolSnapshotTest, WhatGoesToDiskIsLostAtTheLimitOfTheDiskAndNotOfTheQueue) {
  Config config = spilling(2);
  config.destinations[1].topics = {"nothing"};
  config.destinations[0].spool_bytes_max = 1U << 30U;
  config.spool.bytes_max = 1U << 29U;
  start(config);
  turn();
  fake_->clock.advance(10s);
  send(10);
  const auto it = fake_->snapshot();
  ASSERT_TRUE(it->destinations[0].time_to_loss);
  EXPECT_EQ(it->destinations[0].time_to_loss->limit, LossLimit::spool_bytes);
  EXPECT_FALSE(it->destinations[1].time_to_loss) << "it gets nothing";
}

TEST_F(SpoolSnapshotTest, TheSpoolFillsByAllDestinationsTogether) {
  Config config = spilling(2);
  config.spool.bytes_max = 1U << 29U;
  start(config);
  turn();
  fake_->clock.advance(10s);
  send(10);
  const auto both = fake_->snapshot();
  ASSERT_TRUE(both->destinations[0].time_to_loss);
  const double growth = both->destinations[0].lane_growth_bytes_per_s;
  const double left =
      std::chrono::duration<double>(both->destinations[0].time_to_loss->left).count();
  EXPECT_NEAR(left, static_cast<double>(config.spool.bytes_max) / (2 * growth), left / 20);
}

// Requests ----------------------------------------------------------------------------------------

TEST(Control, PausesAndResumesADestinationByName) {
  test::FakeApp fake(destinations(2));
  ASSERT_TRUE(
      fake.request({.action = ControlAction::pause, .destination = "d0", .who = "me"}).ok());
  fake.source->frames = {one_event()};
  fake.turn();
  EXPECT_TRUE(fake.transports[0]->started.empty());
  EXPECT_EQ(fake.transports[1]->started.size(), 1U);
  ASSERT_TRUE(fake.snapshot()->destinations[0].pause);
  EXPECT_EQ(fake.snapshot()->destinations[0].pause->who, "me");
  ASSERT_TRUE(
      fake.request({.action = ControlAction::resume, .destination = "d0", .who = "me"}).ok());
  fake.turn();
  EXPECT_EQ(fake.transports[0]->started.size(), 1U);
}

TEST(Control, SaysNoToWhatItDoesNotKnowAndAfterAStop) {
  test::FakeApp fake(destinations(1));
  const Status unknown = fake.request({.action = ControlAction::pause, .destination = "d7"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.error().message.find("d7"), std::string::npos);
  ASSERT_TRUE(fake.request({.action = ControlAction::drain, .who = "me"}).ok());
  EXPECT_TRUE(fake.app->is_stopping());
  EXPECT_FALSE(fake.request({.action = ControlAction::pause, .destination = "d0"}).ok());
  fake.clock.advance(1s);
  fake.turn();
  fake.turn();
  ASSERT_TRUE(fake.app->is_finished());
  EXPECT_FALSE(fake.control.post({.action = ControlAction::drain}).get().ok());
}

TEST(Control, ChangesTheLevelOfTheLog) {
  test::FakeApp fake(destinations(1));
  ASSERT_TRUE(
      fake.request({.action = ControlAction::log_level, .level = LogLevel::debug, .who = "me"})
          .ok());
  EXPECT_EQ(fake.log_level, LogLevel::debug);
  EXPECT_EQ(fake.log.count("log level changed level=debug by=me"), 1);
}

}  // namespace
}  // namespace outrider::sidecar
