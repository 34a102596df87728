// A destination whose settings, encoder and transport are replaced while it works.

#include <gtest/gtest.h>

#include "unit/deliver/destination_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class ChangeTest : public DestinationFixture {
 protected:
  /// The destination has another transport from here on.
  void replace_transport() {
    auto owned = std::make_unique<test::FakeTransport>();
    former = std::exchange(transport, owned.get());
    destination->change(config, nullptr, std::move(owned), clock.now());
  }

  test::FakeTransport* former = nullptr;
};

TEST_F(ChangeTest, ARequestInFlightEndsWhereItBegan) {
  build();
  accept(1, 1);
  turn();
  replace_transport();
  accept(2, 2);
  turn();
  EXPECT_EQ(sent(0), (Numbers{2})) << "the new one is free";
  EXPECT_EQ(former->cancelled, 0);
  former->answer(200);
  turn();  // ends the former transport
  EXPECT_EQ(ledger().delivered, 1U);
  transport->answer(200);
  turn();
  EXPECT_EQ(ledger().delivered, 2U);
  EXPECT_TRUE(destination->is_drained());
}

TEST_F(ChangeTest, ABatchThatFailedOnTheFormerWayIsTriedAgainAtOnceWithItsIdAndBody) {
  build();
  accept(1, 3);
  turn();
  const test::SeenAttempt before = transport->started.at(0);
  config.static_fields = {"data.env: new"};
  auto owned = std::make_unique<test::FakeTransport>();
  former = std::exchange(transport, owned.get());
  destination->change(config, make_encoder({.format = "json"}), std::move(owned), clock.now());
  former->answer(503, 1h);
  turn();
  ASSERT_EQ(transport->started.size(), 1U) << "no backoff, no Retry-After";
  EXPECT_EQ(transport->started[0].batch_id, before.batch_id);
  EXPECT_EQ(transport->started[0].body, before.body);
  transport->answer(200);
  accept(4, 4);
  turn();
  EXPECT_EQ(transport->started.at(1).body.front(), '[') << "a new batch has the new encoder";
}

TEST_F(ChangeTest, WhatTheFormerReceiverSaysOfItselfIsNotSaidOfTheNewOne) {
  for (const int status : {401, 410, 500}) {
    SCOPED_TRACE(status);
    config.breaker_failures = 1;
    build();
    accept(1, 1);
    turn();
    replace_transport();
    former->answer(status);
    turn();
    EXPECT_FALSE(destination->pacer().is_open());
    ASSERT_EQ(transport->started.size(), 1U);
    transport->answer(200);
    turn();
    EXPECT_EQ(ledger().delivered, 1U);
  }
}

TEST_F(ChangeTest, AHeldDestinationIsProbedAtOnce) {
  build();
  accept(1, 3);
  turn();
  transport->answer(401);
  turn();
  clock.advance(10ms);
  accept(4, 9);
  turn();
  ASSERT_EQ(transport->started.size(), 1U) << "it is held";
  replace_transport();
  turn();
  ASSERT_EQ(transport->started.size(), 1U) << "one probe";
  EXPECT_EQ(sent(0), (Numbers{1, 2, 3}));
  transport->answer(200);
  turn();
  EXPECT_FALSE(destination->pacer().is_open());
  drain();
  EXPECT_EQ(ledger().delivered, 9U);
}

TEST_F(ChangeTest, AProbeThatHangsOnTheFormerWayDoesNotDelayTheNewOne) {
  config.breaker_failures = 1;
  build();
  accept(1, 1);
  turn();
  transport->fail();
  turn();
  sleep_until_due();
  ASSERT_EQ(transport->open.size(), 1U) << "the probe, which never ends";
  accept(2, 2);
  replace_transport();
  turn();
  ASSERT_EQ(transport->started.size(), 1U);
  transport->answer(200);
  turn();
  EXPECT_FALSE(destination->pacer().is_open());
  former->answer(500);
  turn();
  EXPECT_FALSE(destination->pacer().is_open());
  drain();
  EXPECT_EQ(ledger().delivered, 2U);
}

TEST_F(ChangeTest, ADestinationThatWasGoneWorksAgain) {
  build();
  accept(1, 1);
  turn();
  transport->answer(410);
  turn();
  accept(2, 2);
  EXPECT_EQ(ledger().dead_for(DeadReason::gone), 2U);
  replace_transport();
  accept(3, 3);
  turn();
  transport->answer(200);
  turn();
  EXPECT_EQ(ledger().delivered, 1U);
}

TEST_F(ChangeTest, OnlySettingsAreReplacedWithoutATransport) {
  build();
  accept(1, 1);
  turn();
  config.batch_events_max = 2;
  config.concurrency_min = config.concurrency_max = 1;
  destination->change(config, nullptr, nullptr, clock.now());
  accept(2, 5);
  turn();
  EXPECT_EQ(transport->started.size(), 1U) << "one at a time";
  transport->answer(200);
  turn();
  EXPECT_EQ(sent(1), (Numbers{2, 3})) << "two in a batch";
}

TEST_F(ChangeTest, ASmallerQueueKeepsWhatItHas) {
  build();
  destination->pause(0s, "test", clock.now());
  accept(1, 10);
  config.queue_events_max = 4;
  destination->change(config, nullptr, nullptr, clock.now());
  accept(11, 11);
  EXPECT_EQ(ledger().queued, 10U);
  EXPECT_EQ(ledger().dropped_for(DropReason::queue_full), 1U);
  destination->resume("test", clock.now());
  drain();
  EXPECT_EQ(ledger().delivered, 10U);
  accept(12, 12);
  drain();
  EXPECT_EQ(ledger().delivered, 11U);
}

TEST_F(ChangeTest, AtTheEndWhatIsInFlightOnEitherWayIsCutOff) {
  build();
  accept(1, 1);
  turn();
  replace_transport();
  accept(2, 2);
  turn();
  destination->begin_stop(clock.now());
  destination->begin_flush(clock.now());
  destination->abandon(clock.now());
  EXPECT_EQ(former->cancelled, 1);
  EXPECT_EQ(transport->cancelled, 1);
  EXPECT_EQ(ledger().dropped_for(DropReason::linger), 2U);
}

}  // namespace
}  // namespace outrider::sidecar
