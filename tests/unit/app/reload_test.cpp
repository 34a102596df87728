// Another configuration for a running App: all of it or nothing, and one after the other.

#include <algorithm>

#include <gtest/gtest.h>

#include "sidecar/spool/storage_agent.hpp"
#include "support/app_fixture.hpp"
#include "support/storage_twin.hpp"
#include "support/twin_disk.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

DestinationConfig destination(const std::string& name) {
  DestinationConfig it;
  it.name = name;
  it.format = BodyFormat::ndjson;
  it.urls = {"https://receiver.example/"};
  return it;
}

class ReloadTest : public ::testing::Test {
 protected:
  ReloadTest() { config_.destinations = {destination("a"), destination("b")}; }

  void start() { fake_ = std::make_unique<test::FakeApp>(config_); }
  void start_with_spool() {
    config_.spool.path = "/spool.db";
    StorageSettings settings;
    settings.path = config_.spool.path;
    settings.dead = {100, 1U << 20U, 24h};
    for (const auto& it : config_.destinations) settings.lanes.push_back(it.name);
    auto opened = StorageAgent::open(settings, std::make_unique<test::TwinDisk>(twin_), exchange_,
                                     log_, clock_.now());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    storage_ = std::move(opened.value());
    fake_ = std::make_unique<test::FakeApp>(config_, 1, &exchange_, storage_->state());
  }
  void turn() {
    for (int i = 0; i < 20; ++i) {
      fake_->app->do_work(fake_->clock.now());
      if (storage_) storage_->do_work(fake_->clock.now());
    }
  }
  std::optional<ReloadOutcome> reload() {
    fake_->preparer.wanted = config_;
    const std::uint64_t ticket = fake_->reloads.ask("a test");
    turn();
    return fake_->reloads.outcome(ticket);
  }
  ReloadResult result_of(const std::optional<ReloadOutcome>& outcome) {
    EXPECT_TRUE(outcome.has_value());
    return outcome ? outcome->result : ReloadResult::failed;
  }
  void emit(std::uint64_t number) {
    fake_->source->frames.push_back(
        test::frame_bytes({test::event_bytes("orders.paid", 0, test::numbered_data(number))}));
    turn();
  }
  Ledger ledger(const std::string& name) const {
    for (const auto& it : fake_->app->report().destinations) {
      if (it.name == name) return it.ledger;
    }
    ADD_FAILURE() << "there is no " << name;
    return {};
  }

  Config config_;
  test::StorageTwin twin_;
  test::ManualClock clock_;
  test::MemoryLog log_;
  Exchange exchange_;
  std::unique_ptr<StorageAgent> storage_;
  std::unique_ptr<test::FakeApp> fake_;
};

TEST_F(ReloadTest, AllErrorsAreSaidAndNothingChanges) {
  start();
  config_.destinations.push_back(destination("c"));
  config_.log_format = LogFormat::json;
  config_.ingest.endpoints = {"ipc:///tmp/other"};
  const auto outcome = reload();
  EXPECT_EQ(result_of(outcome), ReloadResult::refused);
  EXPECT_EQ(outcome->lines.size(), 2U);
  EXPECT_EQ(outcome->generation, 1U);
  EXPECT_EQ(fake_->app->report().destinations.size(), 2U);
  EXPECT_EQ(fake_->transports.size(), 2U);
  const auto snapshot = fake_->snapshot();
  EXPECT_FALSE(snapshot->config.is_last_reload_good);
  EXPECT_EQ(snapshot->config.generation, 1U);
}

TEST_F(ReloadTest, TheSnapshotHasTheNewConfiguration) {
  start();
  config_.source.hash = "0123";
  fake_->clock.advance(1s);
  EXPECT_EQ(result_of(reload()), ReloadResult::applied);
  const auto snapshot = fake_->snapshot();
  EXPECT_TRUE(snapshot->config.is_last_reload_good);
  EXPECT_EQ(snapshot->config.generation, 2U);
  EXPECT_EQ(snapshot->config.hash, "0123");
  EXPECT_EQ(snapshot->config.loaded_at, fake_->clock.now().wall);
}

TEST_F(ReloadTest, SettingsOfTheAppAreLive) {
  start();
  config_.log_level = LogLevel::debug;
  config_.ingest.unrouted = Unrouted::refuse;
  EXPECT_EQ(result_of(reload()), ReloadResult::applied);
  EXPECT_EQ(fake_->log_level, LogLevel::debug);
  config_.shutdown_linger = 50ms;
  EXPECT_EQ(result_of(reload()), ReloadResult::applied);
  fake_->app->request_stop();
  turn();
  EXPECT_EQ(fake_->app->linger_until(), fake_->clock.now().mono + 50ms);
}

TEST_F(ReloadTest, EventsGoWhereTheNewConfigurationSays) {
  start();
  config_.destinations[0].topics = {"users.>"};
  config_.destinations.push_back(destination("c"));
  ASSERT_EQ(result_of(reload()), ReloadResult::applied);
  emit(1);
  EXPECT_EQ(ledger("a").accepted, 0U);
  EXPECT_EQ(ledger("b").accepted, 1U);
  EXPECT_EQ(ledger("c").accepted, 1U);
}

TEST_F(ReloadTest, ARemovedDestinationSendsItsEventsAndItsCountersGoOn) {
  start();
  emit(1);
  config_.destinations.erase(config_.destinations.begin());
  ASSERT_EQ(result_of(reload()), ReloadResult::applied);
  emit(2);
  EXPECT_EQ(ledger("a").in_flight, 1U) << "it had event 1 before";
  fake_->transports[0]->answer(200);
  turn();
  EXPECT_EQ(ledger("a").delivered, 1U);
  EXPECT_TRUE(fake_->log.count("a removed destination has left") == 1);
  EXPECT_TRUE(fake_->snapshot()->destinations.back().is_removed);
  config_.destinations.push_back(destination("a"));
  ASSERT_EQ(result_of(reload()), ReloadResult::applied);
  emit(3);
  EXPECT_EQ(ledger("a").accepted, 2U);
  EXPECT_EQ(ledger("a").delivered, 1U);
}

TEST_F(ReloadTest, OneThatLeavesAndIsConfiguredAgainStays) {
  start();
  emit(1);
  const DestinationConfig a = config_.destinations[0];
  config_.destinations.erase(config_.destinations.begin());
  ASSERT_EQ(result_of(reload()), ReloadResult::applied);
  config_.destinations.push_back(a);
  ASSERT_EQ(result_of(reload()), ReloadResult::applied);
  fake_->clock.advance(1h);
  emit(2);
  EXPECT_EQ(ledger("a").accepted, 2U);
  EXPECT_EQ(ledger("a").dropped_total(), 0U);
  config_.destinations.back().format = BodyFormat::json;
  EXPECT_EQ(result_of(reload()), ReloadResult::refused);
}

TEST_F(ReloadTest, WhatIsLeftAfterTheDeadlineIsDroppedAndCounted) {
  config_.destinations[0].on_remove_max = 3s;
  start();
  emit(1);
  config_.destinations.erase(config_.destinations.begin());
  ASSERT_EQ(result_of(reload()), ReloadResult::applied);
  fake_->clock.advance(3s);
  turn();
  EXPECT_EQ(ledger("a").dropped_for(DropReason::removed), 1U);
}

TEST_F(ReloadTest, AFailedReloadDoesNotPutOffTheDeadline) {
  config_.destinations[0].on_remove_max = 3s;
  start();
  emit(1);
  const DestinationConfig a = config_.destinations[0];
  config_.destinations.erase(config_.destinations.begin());
  ASSERT_EQ(result_of(reload()), ReloadResult::applied);
  fake_->clock.advance(2s);
  fake_->preparer.prepare = [](const DestinationConfig&) -> Result<FinishTransport> {
    return FinishTransport([](const BodyKind&) -> Result<std::unique_ptr<Transport>> {
      return Error{"address in use"};
    });
  };
  config_.destinations.push_back(a);
  ASSERT_EQ(result_of(reload()), ReloadResult::failed);
  EXPECT_EQ(ledger("a").dropped_total(), 0U);
  fake_->clock.advance(1s);
  turn();
  EXPECT_EQ(ledger("a").dropped_for(DropReason::removed), 1U);
}

TEST_F(ReloadTest, DropDropsWhatWaits) {
  config_.destinations[0].on_remove = OnRemove::drop;
  config_.destinations[0].concurrency_max = 1;
  start();
  emit(1);
  emit(2);
  config_.destinations.erase(config_.destinations.begin());
  ASSERT_EQ(result_of(reload()), ReloadResult::applied);
  EXPECT_EQ(ledger("a").dropped_for(DropReason::removed), 1U);
  fake_->transports[0]->answer(200);
  turn();
  EXPECT_EQ(ledger("a").delivered, 1U);
}

TEST_F(ReloadTest, ReloadsThatAreAskedForMeanwhileAreOneMore) {
  start();
  fake_->preparer.is_ready = false;
  const std::uint64_t first = fake_->reloads.ask("one");
  turn();
  config_.shutdown_linger = 1s;
  fake_->preparer.wanted = config_;
  const std::uint64_t second = fake_->reloads.ask("two");
  const std::uint64_t third = fake_->reloads.ask("three");
  turn();
  EXPECT_FALSE(fake_->reloads.outcome(first));
  fake_->preparer.is_ready = true;
  turn();
  EXPECT_EQ(fake_->reloads.outcome(first)->generation, 3U) << "the newest is kept";
  EXPECT_EQ(fake_->reloads.outcome(second)->generation, 3U);
  EXPECT_EQ(fake_->reloads.outcome(third)->generation, 3U);
  EXPECT_EQ(fake_->app->config().shutdown_linger, 1s);
}

TEST_F(ReloadTest, FilesThatDoNotAnswerEndTheReload) {
  start();
  fake_->preparer.is_ready = false;
  const std::uint64_t ticket = fake_->reloads.ask("one");
  turn();
  EXPECT_EQ(fake_->app->next_deadline(), fake_->clock.now().mono + Reloader::reading_max);
  fake_->clock.advance(Reloader::reading_max);
  turn();
  EXPECT_EQ(result_of(fake_->reloads.outcome(ticket)), ReloadResult::failed);
  fake_->preparer.is_hanging = true;
  EXPECT_EQ(result_of(reload()), ReloadResult::failed);
}

TEST_F(ReloadTest, ADiskThatDoesNotAnswerEndsTheReload) {
  start_with_spool();
  config_.destinations.push_back(destination("c"));
  fake_->preparer.wanted = config_;
  const auto turn_without_disk = [&] {
    for (int i = 0; i < 5; ++i) fake_->app->do_work(fake_->clock.now());
  };
  const std::uint64_t first = fake_->reloads.ask("one");
  turn_without_disk();
  EXPECT_FALSE(fake_->reloads.outcome(first));
  fake_->clock.advance(Reloader::opening_max);
  turn_without_disk();
  EXPECT_EQ(fake_->reloads.outcome(first)->lines,
            (std::vector<std::string>{"the disk of the spool does not answer"}));
  const std::uint64_t second = fake_->reloads.ask("two");
  turn_without_disk();
  EXPECT_EQ(result_of(fake_->reloads.outcome(second)), ReloadResult::failed);
  turn();
  EXPECT_EQ(result_of(reload()), ReloadResult::applied);
  EXPECT_EQ(fake_->app->report().destinations.size(), 3U);
}

TEST_F(ReloadTest, AStopWins) {
  start_with_spool();
  config_.destinations.push_back(destination("c"));
  fake_->preparer.wanted = config_;
  const std::uint64_t ticket = fake_->reloads.ask("one");
  fake_->app->do_work(fake_->clock.now());
  fake_->app->do_work(fake_->clock.now());  // it waits for the lane
  fake_->app->request_stop();
  fake_->app->do_work(fake_->clock.now());
  EXPECT_EQ(fake_->reloads.outcome(ticket)->lines, (std::vector<std::string>{"the sidecar stops"}));
  EXPECT_TRUE(fake_->reloads.outcome(fake_->reloads.ask("too late")).has_value());
  for (int i = 0; i < 100 && !fake_->app->is_finished(); ++i) {
    turn();
    fake_->clock.advance(100ms);
  }
  EXPECT_TRUE(fake_->app->is_finished());
  EXPECT_EQ(fake_->app->report().destinations.size(), 2U);
}

TEST_F(ReloadTest, WithoutRoomForALaneNothingChanges) {
  config_.spool.free_bytes_min = 0;
  start_with_spool();
  twin_.set_bytes_max(twin_.free_bytes() > 0 ? 1 : 0);
  fake_->clock.advance(2s);
  config_.destinations.push_back(destination("c"));
  config_.shutdown_linger = 1s;
  const auto outcome = reload();
  EXPECT_EQ(result_of(outcome), ReloadResult::failed);
  EXPECT_EQ(outcome->lines, (std::vector<std::string>{"the spool's disk is full"}));
  EXPECT_EQ(fake_->app->report().destinations.size(), 2U);
  EXPECT_NE(fake_->app->config().shutdown_linger, 1s);
}

TEST_F(ReloadTest, AFailedTransportChangesNothing) {
  start();
  fake_->preparer.prepare = [](const DestinationConfig&) -> Result<FinishTransport> {
    return FinishTransport([](const BodyKind&) -> Result<std::unique_ptr<Transport>> {
      return Error{"address in use"};
    });
  };
  config_.destinations.push_back(destination("c"));
  const auto outcome = reload();
  EXPECT_EQ(result_of(outcome), ReloadResult::failed);
  EXPECT_EQ(outcome->lines, (std::vector<std::string>{"destination c: address in use"}));
  EXPECT_EQ(fake_->app->report().destinations.size(), 2U);
}

}  // namespace
}  // namespace outrider::sidecar
