#include "sidecar/app/app.hpp"

#include <gtest/gtest.h>

#include "support/app_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::event_bytes;
using test::frame_bytes;
using test::numbered_data;

Config two_destinations() {
  Config config;
  config.shutdown_linger = 10s;
  for (const char* name : {"all", "orders"}) {
    DestinationConfig destination;
    destination.name = name;
    destination.format = BodyFormat::ndjson;
    config.destinations.push_back(destination);
  }
  config.destinations[1].topics = {"orders.>"};
  return config;
}

std::string one_event(std::string_view topic, std::uint64_t number = 1) {
  return frame_bytes({event_bytes(topic, 1, numbered_data(number))});
}

TEST(App, RoutesEventsAndCountsThoseThatNobodyWants) {
  Config config = two_destinations();
  config.destinations[0].topics = {"users.>"};
  test::FakeApp fake(config);
  fake.source->frames = {one_event("orders.paid"), one_event("users.new"), one_event("other")};
  fake.turn();
  const Report report = fake.app->report();
  EXPECT_EQ(report.ingest.events, 3U);
  EXPECT_EQ(report.unrouted, 1U);
  EXPECT_EQ(report.destinations[0].ledger.accepted, 1U);
  EXPECT_EQ(report.destinations[1].ledger.accepted, 1U);
  EXPECT_TRUE(report.is_balanced());
}

TEST(App, AFailingDestinationDoesNotHoldUpAnother) {
  Config config = two_destinations();
  config.destinations[0].queue_events_max = 10;
  test::FakeApp fake(config);
  for (int i = 0; i < 100; ++i) {
    fake.source->frames.push_back(one_event("orders.paid"));
    fake.turn();
    if (!fake.transports[1]->open.empty()) fake.transports[1]->answer(200);
    fake.turn();
  }
  const Report report = fake.app->report();
  EXPECT_EQ(report.destinations[0].ledger.delivered, 0U);
  EXPECT_EQ(report.destinations[0].ledger.dropped_for(DropReason::queue_full), 90U);
  EXPECT_EQ(report.destinations[1].ledger.dropped_total(), 0U);
  EXPECT_GE(report.destinations[1].ledger.delivered, 99U);
}

TEST(App, StopsListeningAtOnceTakesWhatIsOnItsWayAndEndsWhenDrained) {
  test::FakeApp fake(two_destinations());
  fake.app->request_stop();
  fake.turn();
  EXPECT_FALSE(fake.source->is_listening);
  fake.source->frames.push_back(one_event("orders.paid"));
  fake.turn();
  EXPECT_FALSE(fake.source->is_closed);
  fake.clock.advance(50ms);
  fake.turn();
  EXPECT_TRUE(fake.source->is_closed);
  EXPECT_FALSE(fake.app->is_finished());
  for (auto* transport : fake.transports) transport->answer(200);
  fake.turn();
  EXPECT_TRUE(fake.app->is_finished());
  for (auto* transport : fake.transports) EXPECT_TRUE(transport->is_closed);
  EXPECT_FALSE(fake.app->report().has_losses());
}

TEST(App, AClientThatNeverPausesCannotDelayTheEnd) {
  test::FakeApp fake(two_destinations());
  fake.app->request_stop();
  for (int ms = 0; ms < 11'000 && !fake.app->is_finished(); ms += 10) {
    if (!fake.source->is_closed) fake.source->frames.push_back(one_event("orders.paid"));
    fake.turn();
    fake.clock.advance(10ms);
    if (ms == 1200) {
      EXPECT_TRUE(fake.source->is_closed);
    }
  }
  EXPECT_TRUE(fake.app->is_finished()) << "at the end of linger, though nobody answered";
  const Report report = fake.app->report();
  EXPECT_TRUE(report.has_losses());
  EXPECT_TRUE(report.is_balanced());
  EXPECT_EQ(report.destinations[0].ledger.dropped_for(DropReason::linger),
            report.destinations[0].ledger.accepted);
}

TEST(App, APauseIsNoTimeThatAStopHad) {
  test::FakeApp fake(two_destinations());
  fake.source->frames.push_back(one_event("orders.paid"));
  fake.turn();
  fake.app->request_stop();
  fake.turn();
  fake.clock.advance(50ms);
  fake.turn();
  EXPECT_TRUE(fake.source->is_closed);
  fake.clock.advance(1h);
  fake.app->make_up_for(1h);
  fake.turn();
  EXPECT_FALSE(fake.app->is_finished());
  EXPECT_GT(fake.app->next_deadline(), fake.clock.now().mono);
  for (auto* transport : fake.transports) transport->answer(200);
  fake.turn();
  EXPECT_TRUE(fake.app->is_finished());
  EXPECT_FALSE(fake.app->report().has_losses());
}

/// A frame of many turns, and the sidecar stops in its first one; a turn takes `turn_time`.
Report stop_inside_a_frame(std::uint64_t events, Duration turn_time) {
  test::FakeApp fake(two_destinations());
  fake.source->frames.push_back(
      frame_bytes(std::vector<std::string>(events, event_bytes("orders.paid", 1, "\x01"))));
  fake.app->do_work(fake.clock.now());
  fake.app->request_stop();
  for (int i = 0; i < 1000 && !fake.app->is_finished(); ++i) {
    fake.clock.advance(turn_time);
    fake.app->do_work(fake.clock.now());
    for (auto* transport : fake.transports) {
      if (!transport->open.empty()) transport->answer(200);
    }
  }
  EXPECT_TRUE(fake.app->is_finished());
  EXPECT_TRUE(fake.source->is_closed);
  EXPECT_TRUE(fake.app->report().is_balanced());
  return fake.app->report();
}

TEST(App, AStopTakesTheRestOfAFrameHoweverManyTurnsItTakes) {
  const std::uint64_t events = 4 * TurnBudget::events_max;
  const Report report = stop_inside_a_frame(events, 300ms);
  EXPECT_EQ(report.ingest.events, events);
  EXPECT_EQ(report.ingest.events_refused, 0U);
}

TEST(App, AFrameWhoseCopiesTakeLongerThanLingerDoesNotDelayTheEnd) {
  const std::uint64_t events = 8 * TurnBudget::events_max;
  const Report report = stop_inside_a_frame(events, 3s);
  EXPECT_GT(report.ingest.refused[static_cast<std::size_t>(proto::Refusal::stopping)], 0U);
  EXPECT_EQ(report.ingest.events + report.ingest.events_refused, events);
}

TEST(App, WithoutLingerItEndsAtOnce) {
  Config config = two_destinations();
  config.shutdown_linger = 0s;
  test::FakeApp fake(config);
  fake.source->frames.push_back(one_event("orders.paid"));
  fake.turn();
  fake.app->request_stop();
  fake.turn();
  EXPECT_TRUE(fake.app->is_finished());
  EXPECT_EQ(fake.app->report().destinations[0].ledger.dropped_for(DropReason::linger), 1U);
}

TEST(App, AnIdleAppHasNoDeadline) {
  test::FakeApp fake(two_destinations());
  fake.turn();
  EXPECT_EQ(fake.app->next_deadline(), never);
}

TEST(App, ATransportThatCannotBeMadeNamesItsDestination) {
  AppParts parts;
  parts.source = std::make_unique<test::FakeSource>();
  parts.seed = 1;
  parts.make_transport = [](const DestinationConfig&,
                            const BodyKind&) -> Result<std::unique_ptr<Transport>> {
    return Error{"cannot read token"};
  };
  test::MemoryLog log;
  const auto app = App::create(two_destinations(), std::move(parts), log);
  ASSERT_FALSE(app.ok());
  EXPECT_EQ(app.error().message, "destination all: cannot read token");
}

TEST(Report, SaysWhereEveryEventWent) {
  test::FakeApp fake(two_destinations());
  fake.source->frames = {one_event("orders.paid"), "\xc1"};
  fake.turn();
  fake.transports[1]->answer(400);
  fake.turn();
  const std::string text = format_report(fake.app->report());
  EXPECT_NE(text.find("ingest: 2 frames, 1 events accepted"), std::string::npos) << text;
  EXPECT_NE(text.find("frame_malformed 1"), std::string::npos) << text;
  EXPECT_NE(text.find("every accepted event is accounted for"), std::string::npos) << text;
}

}  // namespace
}  // namespace outrider::sidecar
