// A destination with a lane of the spool: what finds no room goes to disk and comes back.

#include <algorithm>
#include <iterator>
#include <sstream>

#include <gtest/gtest.h>

#include "unit/spool/spill_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class SpillTest : public SpillFixture {};

TEST_F(SpillTest, WhatFindsNoRoomGoesToDiskAndIsSentInItsOrder) {
  start();
  accept(1, 12);
  turn();
  EXPECT_GT(ledger().spooled, 0U);
  answer_all();
  EXPECT_EQ(sent(), "1 2 3 4 5 6 7 8 9 10 11 12 ");
  EXPECT_EQ(ledger().delivered, 12U);
  EXPECT_TRUE(waiting().empty());
}

/// Whatever `when_full` says, what came first goes first.
TEST_F(SpillTest, WithOrderByKeyNothingOvertakesWhatIsOnDisk) {
  config.when_full = WhenFull::drop_oldest;
  config.ordering = Ordering::key;
  start();
  accept(1, 4, "k");
  turn();
  stop();
  start();
  accept(100, 101, "k");
  for (std::uint64_t i = 102; i <= 140; ++i) {
    accept(i, i, "k");
    turn();
    if (!transport->open.empty()) transport->answer(200);
  }
  answer_all();
  std::istringstream text(sent());
  const std::vector<long> all{std::istream_iterator<long>(text), {}};
  EXPECT_GT(all.size(), 40U) << "the queue is small, and an event or two find no room";
  EXPECT_TRUE(std::ranges::is_sorted(all)) << sent();
}

TEST_F(SpillTest, WithOrderByKeyNothingOvertakesWhatIsBeingConfirmed) {
  config.when_full = WhenFull::drop_newest;
  config.ordering = Ordering::key;
  start();
  const auto first = test::numbered_record({.number = 1, .key = "k"});
  const DestinationHandle lanes[] = {0};
  ASSERT_EQ(spool->add_to_frame(lanes, read_record(first.data()), 0, clock.now()),
            proto::Refusal::none);
  ConfirmedFrame frame;
  frame.client[0] = 1;
  frame.sequence = 1;
  spool->add_frame(frame);
  accept(2, 2, "k");
  answer_all();
  EXPECT_EQ(sent(), "1 2 ");
}

TEST_F(SpillTest, AStopStoresWhatIsLeftAndTheNextRunSendsIt) {
  start();
  accept(1, 8);
  turn();
  stop();
  EXPECT_EQ(ledger().spooled, 8U);
  EXPECT_EQ(waiting(), (Numbers64{1, 2, 3, 4, 5, 6, 7, 8}));
  start();
  EXPECT_EQ(ledger().recovered, 8U);
  answer_all();
  EXPECT_EQ(sent(), "1 2 3 4 5 6 7 8 ");
  EXPECT_TRUE(waiting().empty());
}

TEST_F(SpillTest, ADeadLetterIsKeptWithItsReason) {
  start();
  accept(1, 1);
  turn();
  transport->answer(400);
  turn();
  EXPECT_EQ(ledger().dead_total(), 1U);
  EXPECT_EQ(numbers_of(tables()["audit"].dead), (Numbers64{1}));
  Database database(spool_path, OpenMode::read_write, twin.vfs_name());
  EXPECT_EQ(database.number("SELECT status FROM dead"), 400);
  EXPECT_EQ(database.number("SELECT attempts FROM dead"), 1);
  EXPECT_EQ(database.text("SELECT reason FROM dead"), "refused");
}

TEST_F(SpillTest, ALongStopAgesNothing) {
  start();
  accept(1, 8);
  turn();
  stop();
  clock.advance(8 * 24h);
  start();
  answer_all();
  EXPECT_EQ(ledger().delivered, 8U);
  EXPECT_EQ(ledger().dead_total(), 0U);
}

TEST_F(SpillTest, AWrongClockAgesNothing) {
  start();
  accept(1, 8);
  turn();
  stop();
  clock.jump_wall(1000h);
  start();
  turn();
  stop();
  clock.jump_wall(-1000h);
  start();
  answer_all();
  EXPECT_EQ(ledger().delivered, 8U);
  EXPECT_EQ(ledger().dead_total(), 0U);
}

TEST_F(SpillTest, AFailureAfterAStopOfWeeksAgesNothing) {
  start();
  accept(1, 8);
  turn();
  stop();
  clock.advance(50 * 24h);
  start();
  turn();
  ASSERT_EQ(transport->open.size(), 1U);
  transport->answer(503);
  turn();
  EXPECT_EQ(ledger().dead_total(), 0U);
  clock.advance(1h);
  answer_all();
  EXPECT_EQ(ledger().delivered, 8U);
  EXPECT_EQ(ledger().dead_total(), 0U);
}

TEST_F(SpillTest, FailuresOfAMinuteWhileTheClockIsAYearAheadAgeNothing) {
  config.retry_initial = config.retry_max = 1s;
  start();
  accept(1, 8);
  turn();
  stop();
  clock.jump_wall(366 * 24h);
  start();
  int failures = 0;
  for (int second = 0; second < 60; ++second) {
    turn();
    if (!transport->open.empty()) {
      transport->answer(503);
      ++failures;
    }
    clock.advance(1s);
  }
  turn();
  EXPECT_GT(failures, 10);
  EXPECT_EQ(ledger().dead_total(), 0U);
  answer_all();
  EXPECT_EQ(ledger().delivered, 8U);
}

/// A tenth of `spool_age_max`, from the first attempt of this run.
TEST_F(SpillTest, WhatIsTooOldIsTriedForATenthOfItsAgeFirst) {
  config.spool_age_max = 100s;
  config.retry_initial = config.retry_max = 1s;
  start();
  accept(1, 2);
  turn();
  stop();
  clock.advance(1h);
  start();
  turn();
  clock.advance(10s - 1ms);
  transport->answer(503);
  turn();
  EXPECT_EQ(ledger().dead_total(), 0U);
  clock.advance(1s);
  turn();
  ASSERT_EQ(transport->open.size(), 1U);
  transport->answer(503);
  turn();
  EXPECT_EQ(ledger().dead_for(DeadReason::age), 2U);
}

TEST_F(SpillTest, WhatIsTooOldIsGivenUpWhenTheDestinationHasAnswered) {
  config.spool_age_max = 1min;
  config.retry_initial = config.retry_max = 1s;
  start();
  accept(1, 2);
  turn();
  stop();
  clock.advance(2min);
  start();
  turn();
  transport->fail("connection refused");
  turn();
  EXPECT_EQ(ledger().dead_total(), 0U) << "nobody was there";
  clock.advance(6s);
  turn();
  ASSERT_EQ(transport->open.size(), 1U);
  transport->answer(503);
  turn();
  EXPECT_EQ(ledger().dead_for(DeadReason::age), 2U);
  EXPECT_EQ(numbers_of(tables()["audit"].dead), (Numbers64{1, 2}));
  Database database(spool_path, OpenMode::read_write, twin.vfs_name());
  EXPECT_EQ(database.number("SELECT min(attempts) FROM dead"), 2);
}

TEST_F(SpillTest, TheAgeGoesOnOverStopsThatPutBack) {
  config.spool_age_max = 1min;
  config.retry_initial = config.retry_max = 1s;
  config.batch_events_max = 10;
  start();
  accept(1, 2);
  turn();
  stop();
  clock.advance(40s);
  start();
  turn();
  accept(3, 3);
  stop();
  EXPECT_EQ(waiting(), (Numbers64{1, 2, 3}));
  clock.advance(40s);
  start();
  turn();
  transport->answer(503);
  turn();
  clock.advance(6s);
  turn();
  ASSERT_EQ(transport->open.size(), 1U);
  transport->answer(503);
  turn();
  EXPECT_EQ(ledger().dead_for(DeadReason::age), 2U) << "they have been there for 86 s";
  EXPECT_EQ(numbers_of(tables()["audit"].dead), (Numbers64{1, 2}));
  EXPECT_EQ(ledger().queued, 1U) << "it has not";
}

TEST_F(SpillTest, ADestinationThatIsGoneKeepsItsQueueOnDisk) {
  config.concurrency_min = config.concurrency_max = 2;
  config.queue_events_max = 100;
  start();
  accept(1, 6);
  turn();
  stop();
  start();  // all of them stand on disk now
  turn();
  ASSERT_EQ(transport->open.size(), 2U);
  transport->answer(410);
  turn();
  EXPECT_EQ(ledger().in_flight, 2U);
  EXPECT_EQ(ledger().spooled, 2U);
  transport->answer(200);
  turn();
  EXPECT_EQ(ledger().delivered, 2U);
  EXPECT_EQ(ledger().dead_for(DeadReason::gone), 2U);
  EXPECT_EQ(waiting(), (Numbers64{5, 6}));
  accept(7, 7);
  turn();
  EXPECT_EQ(waiting(), (Numbers64{5, 6, 7})) << "what comes later is kept as well";
}

/// Not the last of what matters most is dropped while what matters less waits in memory.
TEST_F(SpillTest, WhatTheDiskHasNoRoomForTakesThePlaceOfWhatMattersLess) {
  config.spool_bytes_max = 1000;
  start();
  accept(1, 50, "", proto::Priority::low);
  turn();
  ASSERT_GT(ledger().dropped_for(DropReason::spool_full), 0U);
  while (!transport->open.empty()) transport->answer(503), turn();
  ASSERT_EQ(ledger().queued, 4U);
  const std::uint64_t before = ledger().dropped_for(DropReason::spool_full);
  accept(51, 54, "", proto::Priority::high);
  EXPECT_EQ(ledger().dropped_for(DropReason::evicted), 4U);
  EXPECT_EQ(ledger().dropped_for(DropReason::spool_full), before);
  accept(55, 55, "", proto::Priority::high);
  EXPECT_EQ(ledger().dropped_for(DropReason::spool_full), before + 1);
}

TEST_F(SpillTest, WithOrderByKeyEmittedEventsLeaveRoomToWhatIsOnDisk) {
  config.when_full = WhenFull::drop_newest;
  config.ordering = Ordering::key;
  start();
  accept(1, 20, "k");
  EXPECT_EQ(ledger().queued, 3U);
}

TEST_F(SpillTest, DropOldestNeverGivesUpWhatStandsOnDisk) {
  start();
  accept(1, 4);
  turn();
  stop();
  config.when_full = WhenFull::drop_oldest;
  start();
  turn();
  accept(5, 20);
  turn();
  answer_all();
  EXPECT_EQ(sent().substr(0, 8), "1 2 3 4 ");
  EXPECT_EQ(ledger().spooled + ledger().queued, 0U);
  EXPECT_TRUE(waiting().empty());
}

}  // namespace
}  // namespace outrider::sidecar
