// Frames to be confirmed through the whole App: each one ends, a full destination costs only its
// own events, and nothing counts twice.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/app_fixture.hpp"
#include "support/storage_twin.hpp"
#include "support/twin_disk.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using proto::Refusal;
using test::event_bytes;
using test::frame_bytes;
using test::numbered_data;
using Refused = std::vector<proto::RefusedEvent>;

constexpr std::uint32_t number_of(Refusal refusal) {
  return static_cast<std::uint32_t>(refusal);
}

/// Data of so many bytes.
std::string large_data(std::size_t bytes) {
  std::string data("\xc6");
  for (int shift = 24; shift >= 0; shift -= 8) data += static_cast<char>((bytes >> shift) & 0xff);
  return data + std::string(bytes, 'x');
}

class ConfirmTest : public testing::Test {
 protected:
  ConfirmTest() {
    config_.spool.path = "spool.db";
    add_destination("a", "a.>");
    add_destination("b", "b.>");
  }

  DestinationConfig& add_destination(const std::string& name, const std::string& topics) {
    DestinationConfig destination;
    destination.name = name;
    destination.topics = {topics};
    destination.format = BodyFormat::ndjson;
    config_.destinations.push_back(destination);
    return config_.destinations.back();
  }

  void start() {
    StorageSettings settings;
    settings.path = config_.spool.path;
    settings.dead = {100, 1U << 20U, 24h};
    for (const auto& destination : config_.destinations) settings.lanes.push_back(destination.name);
    exchange_ = std::make_unique<Exchange>();
    auto opened = StorageAgent::open(settings, std::make_unique<test::TwinDisk>(twin_), *exchange_,
                                     log_, clock_.now());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    storage_ = std::move(opened.value());
    fake_ = std::make_unique<test::FakeApp>(config_, 1, exchange_.get(), storage_->state());
  }

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
    }
  }

  void send(const std::string& frame) { fake_->confirm_source->frames.emplace_back("peer", frame); }

  std::string frame(std::uint64_t sequence, const std::vector<std::string>& events) const {
    return frame_bytes(events, {.client_id = client_, .sequence = sequence});
  }

  proto::ConfirmAnswer ask(std::uint64_t sequence, const std::vector<std::string>& events) {
    send(frame(sequence, events));
    turn();
    return last_answer();
  }

  proto::ConfirmAnswer last_answer() {
    auto& answers = fake_->confirm_source->answers;
    if (answers.empty()) {
      ADD_FAILURE() << "no answer";
      return {};
    }
    const proto::ConfirmAnswer answer = answers.back().second;
    answers.clear();
    return answer;
  }

  Ledger ledger(std::size_t destination) const {
    return fake_->app->report().destinations[destination].ledger;
  }

  static std::string event(const std::string& topic, std::uint64_t number = 1) {
    return event_bytes(topic, 0, numbered_data(number));
  }

  Config config_;
  test::StorageTwin twin_;
  test::ManualClock clock_;
  test::MemoryLog log_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<StorageAgent> storage_;
  std::unique_ptr<test::FakeApp> fake_;
  std::vector<std::uint8_t> client_ = std::vector<std::uint8_t>(16, 7);
};

TEST_F(ConfirmTest, EveryAnswerNamesTheLimits) {
  config_.ingest.frame_bytes_max = 1U << 20U;
  config_.ingest.event_bytes_max = 1U << 18U;
  start();
  const proto::SaidLimits limits = {1U << 20U, 1U << 18U};
  EXPECT_EQ(ask(1, {}).limits, limits);
  EXPECT_EQ(ask(2, {event("a.x")}).limits, limits);
  const proto::ConfirmAnswer refused = ask(3, {event_bytes("a.x", 0, large_data(2U << 20U))});
  EXPECT_EQ(refused.status, number_of(Refusal::frame_too_large));
  EXPECT_EQ(refused.limits, limits);
}

TEST_F(ConfirmTest, ATurnIsBoundedByTheCopiesOfItsEvents) {
  const std::uint64_t lanes = 100;
  for (std::uint64_t i = 0; i < lanes; ++i) add_destination("c" + std::to_string(i), "c.>");
  start();
  const std::uint64_t in_a_turn = TurnBudget::copies_max / lanes;
  send(frame(1, std::vector<std::string>(2 * in_a_turn, event("c.x"))));
  fake_->app->do_work(clock_.now());
  const Lane& lane = fake_->app->spool()->lane(2);
  const std::uint64_t bytes = lane.bytes();
  EXPECT_GT(bytes, 0U);
  fake_->app->do_work(clock_.now());
  EXPECT_EQ(lane.bytes(), 2 * bytes);
}

/// Each client is a row that is written, and each event with a date.
TEST_F(ConfirmTest, AGroupIsBoundedInRowsToo) {
  const auto taken = [&](std::size_t frames, const std::vector<std::string>& events) {
    for (std::size_t i = 0; i < frames; ++i) send(frame(i + 1, events));
    for (std::size_t i = 0; i < frames; ++i) fake_->app->do_work(clock_.now());
    return frames - fake_->confirm_source->frames.size();
  };
  start();
  EXPECT_LT(taken(6000, {event("a.x")}), 5000U);
  crash();
  const std::string later =
      "\x81\xa2"
      "at\xcf\x7f" +
      std::string(7, '\0');
  EXPECT_LT(taken(200, std::vector<std::string>(100, event_bytes("a.x", 0, "\x01", later))), 150U);
}

TEST_F(ConfirmTest, AFullDestinationCostsItsOwnEventsAndNoOther) {
  config_.destinations[0].spool_bytes_max = 2000;
  start();
  const std::string large = event_bytes("a.x", 0, large_data(1500));
  EXPECT_EQ(ask(1, {large}).refused, Refused{});
  const proto::ConfirmAnswer answer = ask(2, {event("b.1"), large, event("b.2"), large});
  EXPECT_EQ(answer.status, 0U);
  EXPECT_EQ(answer.refused, (Refused{{1, number_of(Refusal::destination_full)},
                                     {3, number_of(Refusal::destination_full)}}));
  EXPECT_EQ(ledger(0).accepted, 1U);
  EXPECT_EQ(ledger(1).accepted, 2U);
  EXPECT_EQ(ask(3, {large}).status, 0U) << "the frame is done, though nothing of it was taken";
  EXPECT_EQ(fake_->log.count("reason=destination_full"), 1);
  EXPECT_EQ(fake_->log.count("spool_bytes_max"), 1);
  EXPECT_EQ(fake_->log.count("destination a"), 1);
}

TEST_F(ConfirmTest, AFrameTakenInPartIsAnsweredTheSameAgainAlsoAfterACrash) {
  config_.destinations[0].spool_bytes_max = 2000;
  start();
  const std::string large = event_bytes("a.x", 0, large_data(1500));
  ask(1, {large});
  const std::vector<std::string> mixed = {event("b.1"), large, event("bad topic")};
  const Refused expected = {{1, number_of(Refusal::destination_full)},
                            {2, number_of(Refusal::event_topic)}};
  EXPECT_EQ(ask(2, mixed).refused, expected);
  EXPECT_EQ(ask(2, mixed).refused, expected);
  crash();
  // Now there is room.
  fake_->app->do_work(clock_.now());
  while (ledger(0).in_flight == 0) turn();
  fake_->transports[0]->answer(200);
  turn();
  EXPECT_EQ(ask(3, {large}).refused, Refused{});
  EXPECT_EQ(ask(2, mixed).refused, expected) << "it was not taken, and is not taken now";
  // And a frame that was taken whole stays so when there is none.
  EXPECT_EQ(ask(4, {large}).refused, (Refused{{0, number_of(Refusal::destination_full)}}));
  EXPECT_EQ(ask(3, {large}).refused, Refused{});
  EXPECT_EQ(ledger(0).accepted, 2U);
}

TEST_F(ConfirmTest, WhatCanNeverBeTakenIsRefusedForGood) {
  config_.destinations.clear();
  for (int i = 0; i < 12; ++i) add_destination("d" + std::to_string(i), ">");
  config_.ingest.event_bytes_max = 4U << 20U;
  start();
  const auto megabytes = [](std::size_t count) {
    return event_bytes("x", 0, large_data((count << 20U) - (count << 10U)));
  };
  EXPECT_EQ(ask(1, {megabytes(1), megabytes(1)}).status, 0U) << "24 MiB of copies";
  EXPECT_EQ(ask(2, {megabytes(1), megabytes(1), megabytes(1)}).status,
            number_of(Refusal::frame_copies));
  EXPECT_EQ(ask(3, {megabytes(3)}).refused, (Refused{{0, number_of(Refusal::event_beyond_spool)}}));
  EXPECT_EQ(ask(4, {event("x")}).refused, Refused{}) << "and the room is there again";
}

TEST_F(ConfirmTest, AnEventLargerThanItsDestinationsPartOfTheSpoolIsRefusedForGood) {
  config_.destinations[0].spool_bytes_max = 1000;
  start();
  EXPECT_EQ(ask(1, {event_bytes("a.x", 0, large_data(1500)), event("b.x")}).refused,
            (Refused{{0, number_of(Refusal::event_beyond_spool)}}));
}

TEST_F(ConfirmTest, ManyCopiesAreNotTheEndOfSpilling) {
  config_.destinations.clear();
  for (int i = 0; i < 7; ++i) add_destination("d" + std::to_string(i), ">");
  config_.destinations[0].when_full = WhenFull::spool;
  config_.destinations[0].queue_events_max = 1;
  start();
  fake_->confirm_source->frames.emplace_back(
      "peer", frame(1, std::vector<std::string>(4, event_bytes("x", 0, large_data(1'000'000)))));
  fake_->app->do_work(clock_.now());  // 28 MB wait to be written
  for (std::uint64_t i = 0; i < 10; ++i) fake_->source->frames.push_back(frame_bytes({event("x")}));
  turn();
  EXPECT_EQ(last_answer().status, 0U);
  EXPECT_EQ(ledger(0).dropped_total(), 0U);
}

TEST_F(ConfirmTest, AnUnroutedEventIsAcceptedOrRefusedAsConfiguredAndNamedOnce) {
  start();
  EXPECT_EQ(ask(1, {event("nobody.wants")}).refused, Refused{});
  EXPECT_EQ(fake_->app->report().unrouted, 1U);
  fake_->source->frames.push_back(frame_bytes({event("nobody.wants"), event("nor.this")}));
  turn();
  EXPECT_EQ(fake_->log.count("topic=nobody.wants"), 1);
  EXPECT_EQ(fake_->log.count("topic=nor.this"), 1);
  config_.ingest.unrouted = Unrouted::refuse;
  crash();
  EXPECT_EQ(ask(2, {event("nobody.wants"), event("a.x")}).refused,
            (Refused{{0, number_of(Refusal::event_unrouted)}}));
  EXPECT_EQ(fake_->app->report().unrouted, 0U);
  EXPECT_EQ(fake_->log.count("topic=nobody.wants"), 1);
}

TEST_F(ConfirmTest, WhatIsRefusedOrRepeatedCountsOnce) {
  config_.destinations[0].sample_rate = 0.5;
  config_.destinations[1].spool_bytes_max = 1000;
  config_.spool.bytes_max = 100'000;
  start();
  std::vector<std::string> events = {event("no.where"), event("bad topic")};
  for (std::uint64_t i = 0; i < 100; ++i) events.push_back(event("a.x", i));
  for (int times = 0; times < 3; ++times) EXPECT_EQ(ask(1, events).status, 0U);
  // Nothing of this one is taken, as often as it comes.
  std::vector<std::string> too_many = events;
  too_many.insert(too_many.end(), 20, event_bytes("a.x", 0, large_data(50'000)));
  for (int times = 0; times < 3; ++times) {
    EXPECT_EQ(ask(2, too_many).status, number_of(Refusal::frame_copies));
  }
  const Report report = fake_->app->report();
  EXPECT_EQ(report.ingest.events, 101U);
  EXPECT_EQ(report.ingest.events_refused, 1U);
  EXPECT_EQ(report.ingest.refused[number_of(Refusal::event_topic)], 1U);
  EXPECT_EQ(report.unrouted, 1U);
  EXPECT_EQ(report.destinations[0].ledger.accepted, 100U);
  EXPECT_TRUE(report.is_balanced());
}

TEST_F(ConfirmTest, AnAnswerNamesTheTopicsOfDestinationsThatAreFull) {
  config_.destinations[0].exclude = {"a.not"};
  config_.destinations[0].spool_bytes_max = 2000;
  start();
  const std::string large = event_bytes("a.x", 0, large_data(1500));
  EXPECT_TRUE(ask(1, {large, event("b.x")}).full.empty());
  EXPECT_EQ(ask(2, {event("b.x"), large}).full,
            (std::vector<proto::TopicSet>{{config_.destinations[0].topics, {"a.not"}}}));
  EXPECT_TRUE(ask(3, {event("b.x")}).full.empty()) << "only where it is the reason of something";
}

TEST_F(ConfirmTest, WhatIsPutOffIsNotRefusedHoweverOftenItComes) {
  config_.destinations[0].spool_bytes_max = 2000;
  start();
  const std::string large = event_bytes("a.x", 0, large_data(1500));
  EXPECT_EQ(ask(1, {large}).refused, Refused{});
  for (std::uint64_t sequence = 2; sequence < 5; ++sequence) {
    EXPECT_EQ(ask(sequence, {large}).refused, (Refused{{0, number_of(Refusal::destination_full)}}));
  }
  const Report report = fake_->app->report();
  EXPECT_EQ(report.ingest.events_refused, 0U);
  const std::string text = format_report(report);
  EXPECT_EQ(text.find("refused:"), std::string::npos) << text;
  EXPECT_NE(text.find("put off: 3 times (destination_full 3)"), std::string::npos) << text;
}

TEST_F(ConfirmTest, RefusalsInAnAnswerAreBounded) {
  config_.ingest.frame_bytes_max = 4U << 20U;
  start();
  std::vector<std::string> events(4096, std::string(1, '\0'));
  EXPECT_EQ(ask(1, events).refused.size(), 4096U);
  events.emplace_back(1, '\0');
  const proto::ConfirmAnswer answer = ask(2, events);
  EXPECT_EQ(answer.status, number_of(Refusal::frame_refusals));
  EXPECT_EQ(answer.refused, Refused{});
  EXPECT_EQ(ask(3, {event("a.x")}).status, 0U);
  EXPECT_EQ(ledger(0).accepted, 1U);
}

TEST_F(ConfirmTest, OfAHugeFrameNothingIsTakenWhileADestinationIsFull) {
  config_.destinations[0].spool_bytes_max = 2000;
  start();
  const std::string large = event_bytes("a.x", 0, large_data(1500));
  ask(1, {large});
  std::vector<std::string> events(5000, event("b.x"));
  events.push_back(large);
  EXPECT_EQ(ask(2, events).status, number_of(Refusal::destination_full));
  EXPECT_EQ(ledger(1).accepted, 0U);
  events.pop_back();
  EXPECT_EQ(ask(2, events).status, 0U);
  EXPECT_EQ(ledger(1).accepted, 5000U);
}

TEST_F(ConfirmTest, ATurnStopsInsideAFrameAndTheFrameIsStoredWhole) {
  start();
  const std::uint64_t events = 2 * TurnBudget::events_max + 5;
  send(frame(1, {event("a.x")}));
  send(frame(2, std::vector<std::string>(events, event("b.x"))));
  fake_->app->do_work(clock_.now());
  storage_->do_work(clock_.now());
  fake_->app->do_work(clock_.now());
  ASSERT_EQ(fake_->confirm_source->answers.size(), 1U) << "it does not wait for the long one";
  EXPECT_EQ(fake_->confirm_source->answers.front().second.sequence, 1U);
  turn();
  EXPECT_EQ(last_answer().sequence, 2U);
  EXPECT_EQ(ledger(1).accepted, events);
}

TEST_F(ConfirmTest, AFrameThatIsHalfReadWhenTheSidecarStopsComesAgain) {
  config_.shutdown_linger = 0s;
  start();
  send(frame(1, std::vector<std::string>(3 * TurnBudget::events_max, event("b.x"))));
  fake_->app->do_work(clock_.now());
  fake_->app->request_stop();
  clock_.advance(10s);
  turn();
  EXPECT_EQ(last_answer().status, number_of(Refusal::stopping));
  EXPECT_EQ(ledger(1).accepted, 0U);
  EXPECT_TRUE(fake_->app->is_finished());
}

TEST_F(ConfirmTest, WhatWaitsToBeWrittenIsBoundedWhateverItIs) {
  start();
  // Frames of which every event is refused: not a byte of theirs is stored.
  const std::vector<std::string> events(4096, std::string(1, '\0'));
  for (std::uint64_t i = 1; i <= 1000; ++i) send(frame(i, events));
  for (int i = 0; i < 1000; ++i) fake_->app->do_work(clock_.now());
  const std::size_t taken = 1000 - fake_->confirm_source->frames.size();
  EXPECT_LE(taken * 4096 * sizeof(proto::RefusedEvent), 3 * QuestionBuilder::busy_bytes);
}

TEST_F(ConfirmTest, AStopSaysHowManyOutcomesAreNotOnDisk) {
  start();
  ask(1, {event("a.x", 1), event("a.x", 2), event("a.x", 3)});
  twin_.fail({.operation = test::StorageOperation::write, .code = 13, .times = 1'000'000});
  while (ledger(0).delivered < 3) {
    ASSERT_FALSE(fake_->transports[0]->open.empty());
    fake_->transports[0]->answer(200);
    turn();
    clock_.advance(1s);
    turn();
  }
  fake_->app->request_stop();
  for (int second = 0; second < 60 && !fake_->app->is_finished(); ++second) {
    turn();
    clock_.advance(1s);
  }
  ASSERT_TRUE(fake_->app->is_finished());
  EXPECT_EQ(
      fake_->log.count("error the spool could not store everything in time events=0 outcomes=3"),
      1);
}

TEST_F(ConfirmTest, AfterAPauseWhatAStopLeavesIsStillStored) {
  start();
  ask(1, {event("a.x", 1), event("a.x", 2), event("a.x", 3)});
  fake_->app->request_stop();
  fake_->app->do_work(clock_.now());
  const MonoTime stop_until = fake_->app->stop_until();
  clock_.advance(1h);
  fake_->app->make_up_for(1h);
  EXPECT_EQ(fake_->app->stop_until(), stop_until + 1h);
  for (int second = 0; second < 60 && !fake_->app->is_finished(); ++second) {
    turn();
    clock_.advance(1s);
  }
  ASSERT_TRUE(fake_->app->is_finished());
  EXPECT_EQ(fake_->log.count("the spool did not take"), 0);
  EXPECT_FALSE(fake_->app->report().has_losses());
}

TEST_F(ConfirmTest, TheLogNamesADiskThatIsFullAndNotALimitThatWasNotReached) {
  start();
  ask(1, {event("a.x")});
  twin_.fail({.operation = test::StorageOperation::write, .code = 13, .times = 1'000'000});
  EXPECT_EQ(ask(2, {event("a.x")}).status, number_of(Refusal::disk_full));
  EXPECT_EQ(log_.count("error the spool's disk is full; nothing new is stored until there is room"),
            1);
  EXPECT_EQ(log_.count("free_bytes_min") + log_.count("bytes_max"), 0) << "there is room for both";
  EXPECT_EQ(fake_->log.count("destination_full"), 0);
}

}  // namespace
}  // namespace outrider::sidecar
