// Lane and Spool over a storage agent on the twin.

#include "sidecar/spool/lane.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class LaneTest : public SpoolFixture {
 protected:
  LaneTest() {
    spool_settings.bytes_max = 1U << 30U;
    spool_settings.lanes = {{1U << 30U, std::chrono::hours(1), false},
                            {1U << 30U, std::chrono::hours(1), false}};
    start();
  }

  void TearDown() override {
    // What is taken and not settled is in the queue of its destination.
    EXPECT_EQ(ledger.accepted, outside() + ledger.spooled + ledger.scheduled);
  }
  std::uint64_t outside() { return ledger.dropped_total() + taken; }

  void start() {
    open();
    ledger = {};
    taken = 0;
    other = {};
    spool = std::make_unique<Spool>(spool_settings, agent->state().lanes, exchange, log);
    lane().attach(ledger);
    spool->lane(1).attach(other);
    answers.clear();
    spool->on_answer([this](const ConfirmedFrame&, const FrameAnswer& answer) {
      answers.push_back(answer.status);
    });
  }
  Lane& lane() { return spool->lane(0); }
  void turn() {
    for (int i = 0; i < 10; ++i) {
      spool->hand_over(clock.now());
      agent->do_work(clock.now());
      spool->do_work(clock.now());
    }
  }
  static std::vector<std::uint8_t> record(std::uint64_t number, std::size_t more_bytes = 0) {
    return test::numbered_record(
        {.topic = "orders.paid" + std::string(more_bytes, 'x'), .number = number});
  }
  bool append(std::uint64_t number, std::size_t more_bytes = 0) {
    const auto bytes = record(number, more_bytes);
    const bool is_taken = lane().append(read_record(bytes.data()), clock.now());
    if (is_taken) ++ledger.accepted;
    return is_taken;
  }
  proto::Refusal add_to_frame(const std::vector<std::uint8_t>& bytes,
                              const std::vector<DestinationHandle>& lanes = {0}) {
    return spool->add_to_frame(lanes, read_record(bytes.data()), 0, clock.now());
  }
  void confirm(std::uint64_t number) {
    const auto bytes = record(number);
    EXPECT_EQ(add_to_frame(bytes), proto::Refusal::none);
    ConfirmedFrame frame;
    frame.sequence = number;
    spool->add_frame(frame);
  }
  /// The next event, as it is in memory.
  std::vector<std::uint8_t> take() {
    const proto::ByteView stored = lane().next();
    std::vector<std::uint8_t> bytes(restored_record_bytes(stored));
    restore_record(stored, lane().next_origin(), clock.now(), bytes.data());
    lane().take_next();
    ++taken;
    return bytes;
  }
  void put_back(const std::vector<std::vector<std::uint8_t>>& records) {
    PutBack events;
    for (const auto& bytes : records) {
      const RecordView view = read_record(bytes.data());
      events.add(view, lane().created_ns(view, clock.now()), clock.now());
    }
    lane().put_back(std::move(events));
  }
  void settle(const std::vector<std::uint8_t>& bytes) { lane().settle(read_record(bytes.data())); }
  /// The next that is written finds the database damaged, and no room for a copy.
  void replace_by_an_empty_store() {
    twin.fail(
        {.operation = test::StorageOperation::open, .code = SQLITE_FULL, .path_end = ".partial"});
    // Damage is what a second look finds, too.
    twin.fail({.operation = test::StorageOperation::write,
               .code = SQLITE_CORRUPT,
               .times = 3,
               .path_end = "-wal"});
  }
  Numbers64 take_all() {
    Numbers64 numbers;
    for (int i = 0; i < 100; ++i) {
      lane().read_ahead();
      turn();
      while (lane().has_next()) {
        const auto bytes = take();
        numbers.push_back(test::number_in(read_record(bytes.data()).data));
        settle(bytes);
      }
    }
    turn();
    return numbers;
  }

  SpoolSettings spool_settings;
  std::unique_ptr<Spool> spool;
  Ledger ledger;
  Ledger other;
  std::vector<proto::Refusal> answers;
  std::uint64_t taken = 0;
};

TEST_F(LaneTest, GivesBackTheOldestFirst) {
  append(1);
  append(2);
  turn();
  append(3);
  confirm(4);
  turn();
  confirm(5);
  turn();
  EXPECT_TRUE(lane().has_unread());
  EXPECT_EQ(take_all(), (Numbers64{1, 2, 3, 4, 5}));
  EXPECT_FALSE(lane().has_unread());
  EXPECT_TRUE(waiting().empty());
}

TEST_F(LaneTest, WhatWasSpilledWithAConfirmedFrameIsNotPassedOver) {
  append(1);
  confirm(2);
  turn();
  EXPECT_EQ(take_all(), (Numbers64{1, 2}));
  EXPECT_EQ(ledger.dropped_total(), 0U);
}

TEST_F(LaneTest, WhatIsConfirmedComesBackAtOnceWithoutARead) {
  confirm(1);
  turn();
  ASSERT_TRUE(lane().has_next());
  EXPECT_EQ(answers, std::vector{proto::Refusal::none});
  EXPECT_EQ(take_all(), (Numbers64{1}));
}

TEST_F(LaneTest, FreshFirstLetsTheConfirmedOvertakeWhatWaits) {
  spool.reset();
  spool_settings.lanes[0].is_fresh_first = true;
  start();
  append(1);
  append(2);
  turn();
  lane().read_ahead();
  turn();
  confirm(3);
  turn();
  confirm(4);
  turn();
  ASSERT_TRUE(lane().has_next());
  EXPECT_EQ(take_all(), (Numbers64{3, 4, 1, 2})) << "in the order in which they came";
}

TEST_F(LaneTest, LimitsHoldAndRoomComesBack) {
  const std::uint64_t bytes = record(1).size();
  spool.reset();
  spool_settings.lanes[0].bytes_max = 2 * bytes;
  start();
  EXPECT_TRUE(append(1));
  EXPECT_TRUE(append(2));
  EXPECT_FALSE(append(3));
  EXPECT_EQ(add_to_frame(record(3)), proto::Refusal::destination_full);
  EXPECT_EQ(spool->full_lane(), 0U);
  EXPECT_EQ(add_to_frame(record(3), {1, 0}), proto::Refusal::destination_full) << "both or none";
  EXPECT_EQ(add_to_frame(record(3), {1}), proto::Refusal::none);
  spool->drop_frame();
  turn();
  EXPECT_EQ(take_all(), (Numbers64{1, 2}));
  EXPECT_TRUE(append(3));
  turn();
  spool.reset();
  spool_settings.bytes_max = bytes;
  agent.reset();
  start();
  EXPECT_EQ(ledger.recovered, 1U);
  EXPECT_FALSE(append(4)) << "what is on disk counts from the start";
  EXPECT_EQ(take_all(), (Numbers64{3}));
  EXPECT_TRUE(append(4));
  EXPECT_EQ(add_to_frame(record(5), {1}), proto::Refusal::spool_full)
      << "the limit of all lanes together";
}

TEST_F(LaneTest, AFrameThatIsDroppedLeavesNothingBehind) {
  for (int i = 0; i < 1000; ++i) {
    for (int event = 0; event < 100; ++event) {
      const auto bytes = record(1, 200);
      add_to_frame(bytes);
    }
    spool->drop_frame();
    ASSERT_FALSE(spool->is_busy()) << "after " << i;
  }
  EXPECT_TRUE(spool->is_idle());
  append(1);
  add_to_frame(record(2));
  spool->drop_frame();
  confirm(3);
  turn();
  EXPECT_EQ(take_all(), (Numbers64{1, 3}));
}

TEST_F(LaneTest, ReadsNoMoreAheadThanItMay) {
  for (std::uint64_t i = 1; i <= 20'000; ++i) append(i % 100 + 1, 150);
  turn();
  std::uint64_t in_memory = 0;
  for (int i = 0; i < 20; ++i) {
    lane().read_ahead();
    turn();
  }
  const std::uint64_t before = ledger.spooled;
  while (lane().has_next()) {
    in_memory += lane().next().size();
    settle(take());
  }
  EXPECT_LE(in_memory, LaneOrder::read_ahead_bytes_max + Store::block_bytes_max);
  EXPECT_GT(in_memory, 0U);
  EXPECT_LT(ledger.spooled, before);
  EXPECT_GT(ledger.spooled, 0U);
}

TEST_F(LaneTest, DamagedBlocksAreCountedAndTheOthersCome) {
  append(1);
  turn();
  append(2);
  append(3);
  turn();
  append(4);
  turn();
  {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    database.execute("UPDATE block SET crc=crc+1 WHERE events=2");
  }
  EXPECT_EQ(take_all(), (Numbers64{1, 4}));
  EXPECT_EQ(ledger.dropped_for(DropReason::damaged), 2U);
  EXPECT_EQ(ledger.spooled, 0U);
}

TEST_F(LaneTest, WhatIsPutBackComesFirstInTheNextRun) {
  append(1);
  append(2);
  append(3);
  turn();
  lane().read_ahead();
  turn();
  const auto first = take();
  // It and one that was never stored.
  put_back({first, record(9)});
  ledger.accepted += 1;
  taken = 0;
  turn();
  EXPECT_TRUE(spool->is_idle());
  EXPECT_EQ(waiting(), (Numbers64{1, 9, 2, 3}));
  EXPECT_EQ(ledger.spooled, 4U);
  spool.reset();
  agent.reset();
  start();
  EXPECT_EQ(take_all(), (Numbers64{1, 9, 2, 3}));
}

TEST_F(LaneTest, WhatCannotBePutBackInTimeIsCounted) {
  confirm(1);
  turn();
  const auto first = take();
  twin.fail({.operation = test::StorageOperation::write, .code = 10, .times = 1'000'000});
  put_back({first, record(9)});
  ledger.accepted += 1;
  taken = 0;
  turn();
  EXPECT_FALSE(spool->is_idle());
  lane().give_up();
  EXPECT_EQ(ledger.dropped_for(DropReason::spool_failed), 1U);
  EXPECT_EQ(ledger.spooled, 1U);
  twin.clear_faults();
  EXPECT_EQ(waiting(), (Numbers64{1})) << "it stands where it stood";
}

/// The database was replaced, and nothing of it could be kept.
TEST_F(LaneTest, WhatIsHeldIsOnDiskAgainWhenTheStoreIsAnother) {
  for (const std::uint64_t number : {1, 2, 3}) {
    confirm(number);
    turn();
  }
  const auto later = record(9);
  ASSERT_TRUE(lane().schedule(read_record(later.data()), UINT64_MAX, clock.now()));
  ++ledger.accepted;
  turn();
  const auto first = take();
  replace_by_an_empty_store();
  append(4);
  spool->hand_over(clock.now());
  agent->do_work(clock.now());
  const auto coming = record(5);
  ASSERT_TRUE(lane().schedule(read_record(coming.data()), UINT64_MAX, clock.now()));
  ++ledger.accepted;
  turn();
  ASSERT_EQ(log.count("there was no room for a copy"), 1);
  EXPECT_EQ(ledger.scheduled, 1U) << "9 is gone and 5 has come";
  EXPECT_EQ(ledger.dropped_for(DropReason::damaged), 1U);
  EXPECT_EQ(waiting(), (Numbers64{2, 3, 4})) << "2 and 3 were in memory, whole";
  EXPECT_EQ(lane().events_in_memory(), 0U) << "1 stands nowhere on disk";
  EXPECT_EQ(lane().bytes(),
            bytes_of(tables()["audit"].waiting) + bytes_of(tables()["audit"].scheduled));
  put_back({first});
  --taken;
  turn();
  EXPECT_EQ(waiting(), (Numbers64{1, 2, 3, 4})) << "so it is written before all others";
  EXPECT_EQ(ledger.spooled, 4U);
}

TEST_F(LaneTest, WhatIsAskedAnewIsAskedUntilTheDiskAnswers) {
  confirm(1);
  turn();
  replace_by_an_empty_store();
  append(2);
  spool->hand_over(clock.now());
  agent->do_work(clock.now());
  twin.fail({.operation = test::StorageOperation::write,
             .code = SQLITE_IOERR,
             .times = test::StorageFault::forever});
  turn();
  EXPECT_FALSE(spool->is_idle());
  EXPECT_EQ(waiting(), (Numbers64{2}));
  twin.clear_faults();
  clock.advance(1s);
  turn();
  EXPECT_TRUE(spool->is_idle());
  EXPECT_EQ(waiting(), (Numbers64{1, 2}));
  EXPECT_EQ(take_all(), (Numbers64{1, 2}));
}

TEST_F(LaneTest, WhatWaitsForAnotherProgramsLockAtTheEndIsCounted) {
  append(1);
  turn();
  Database foreigner(spool_path, OpenMode::read_write, twin.vfs_name());
  foreigner.execute("BEGIN IMMEDIATE");
  append(2);
  const auto later = record(3);
  ASSERT_TRUE(lane().schedule(read_record(later.data()), UINT64_MAX, clock.now()));
  ++ledger.accepted;
  turn();
  append(4);
  EXPECT_EQ(ledger.spooled, 3U);
  spool->give_up(clock.now());
  EXPECT_EQ(ledger.dropped_for(DropReason::spool_failed), 3U);
  EXPECT_EQ(ledger.spooled, 1U);
  EXPECT_EQ(ledger.scheduled, 0U);
  foreigner.execute("ROLLBACK");
  clock.advance(1s);
  agent->do_work(clock.now());
  EXPECT_EQ(waiting(), (Numbers64{1})) << "what was counted is not stored after all";
}

TEST_F(LaneTest, DeadLettersThatMakeRoomForOthersAreOneLineInTenSeconds) {
  settings.dead.events_max = 1;
  start();
  const auto bury = [this](std::uint64_t number) {
    const auto bytes = record(number);
    lane().bury(read_record(bytes.data()), {}, clock.now());
    turn();
  };
  const auto lines = [this] { return log.count("warn the oldest dead letters were removed"); };
  bury(1);
  EXPECT_EQ(lines(), 0);
  // They go with the group behind the one that brings them beyond the limit.
  for (std::uint64_t number = 2; number < 6; ++number) bury(number);
  EXPECT_EQ(lines(), 1);
  clock.advance(spool->next_deadline() - clock.now().mono);
  spool->do_work(clock.now());
  EXPECT_EQ(lines(), 2);
  EXPECT_EQ(log.count("max allows events=2"), 1);
  EXPECT_EQ(spool->next_deadline(), never);
  bury(6);
  spool.reset();
  EXPECT_EQ(lines(), 3) << "the end says the rest";
}

TEST_F(LaneTest, ADiskThatHangsIsSaidNowAndThenAndWhenItIsOver) {
  const auto stalls = [this] { return log.count("error the spool's disk hangs"); };
  const auto wake = [this] {
    ASSERT_NE(spool->next_deadline(), never);
    clock.advance(spool->next_deadline() - clock.now().mono);
    spool->do_work(clock.now());
  };
  append(1);
  confirm(2);
  spool->hand_over(clock.now());
  append(3);
  clock.advance(29s);
  spool->do_work(clock.now());
  EXPECT_EQ(stalls(), 0);
  wake();
  EXPECT_EQ(stalls(), 1);
  EXPECT_EQ(log.count("since=30s events=3"), 1);
  clock.advance(9min);
  spool->do_work(clock.now());
  EXPECT_EQ(stalls(), 1);
  wake();
  EXPECT_EQ(stalls(), 2);
  EXPECT_EQ(log.count("info the spool's disk answers again"), 0);
  turn();
  EXPECT_EQ(log.count("info the spool's disk answers again after=630s"), 1);
  EXPECT_EQ(spool->next_deadline(), never) << "nothing waits";
  // The next group has hung no time yet.
  append(4);
  spool->hand_over(clock.now());
  clock.advance(29s);
  spool->do_work(clock.now());
  turn();
  EXPECT_EQ(stalls(), 2);
  EXPECT_EQ(log.count("info the spool's disk answers again"), 1);
}

/// The storage thread tries, and says why it cannot.
TEST_F(LaneTest, ADatabaseThatIsLockedIsNoDiskThatHangs) {
  append(1);
  spool->hand_over(clock.now());
  for (int i = 0; i < 100; ++i) {
    exchange.put_back(exchange.take());
    clock.advance(1s);
    spool->do_work(clock.now());
  }
  EXPECT_EQ(log.count("the spool's disk hangs"), 0);
  // Until it does not come back from one of these attempts.
  const auto in_work = exchange.take();
  clock.advance(1min);
  for (int i = 0; i < 2; ++i) {
    clock.advance(spool->next_deadline() - clock.now().mono);
    spool->do_work(clock.now());
  }
  EXPECT_EQ(log.count("the spool's disk hangs"), 1);
}

TEST_F(LaneTest, OutcomesThatAreNotOnDiskAreCounted) {
  for (std::uint64_t i = 1; i <= 4; ++i) confirm(i);
  turn();
  const auto first = take();
  const auto second = take();
  const auto third = take();
  const auto fourth = take();
  EXPECT_EQ(spool->unwritten_outcomes(), 0U);
  settle(first);
  EXPECT_EQ(spool->unwritten_outcomes(), 1U) << "nothing of it was handed over";
  spool->hand_over(clock.now());
  settle(second);
  EXPECT_EQ(spool->unwritten_outcomes(), 2U) << "one is being written";
  twin.fail({.operation = test::StorageOperation::write, .code = 10, .times = 1'000'000});
  turn();
  EXPECT_EQ(spool->unwritten_outcomes(), 2U) << "it has failed";
  // An event that was never stored has what is left stored anew, which is no outcome.
  put_back({third, fourth, record(9)});
  ledger.accepted += 1;
  taken = 2;
  EXPECT_EQ(spool->unwritten_outcomes(), 2U);
  twin.clear_faults();
  clock.advance(Spool::retry_interval);
  turn();
  EXPECT_EQ(spool->unwritten_outcomes(), 0U);
  EXPECT_EQ(waiting(), (Numbers64{3, 4, 9}));
}

TEST_F(LaneTest, WhatIsBeingWrittenAtTheEndIsCounted) {
  append(1);
  spool->hand_over(clock.now());
  const auto in_work = exchange.take();
  append(2);
  spool->give_up(clock.now());
  EXPECT_EQ(ledger.dropped_for(DropReason::spool_failed), 2U);
  EXPECT_EQ(ledger.spooled, 0U);
}

TEST_F(LaneTest, WhatIsPutBackLaterIsCountedByItself) {
  put_back({record(1)});
  ledger.accepted += 1;
  spool->hand_over(clock.now());
  agent->do_work(clock.now());
  put_back({record(2)});
  ledger.accepted += 1;
  spool->do_work(clock.now());
  spool->give_up(clock.now());
  EXPECT_EQ(ledger.dropped_for(DropReason::spool_failed), 1U) << "the second one is not stored";
  EXPECT_EQ(ledger.spooled, 1U);
}

TEST_F(LaneTest, AReadOnItsWayDoesNotMissWhatIsPutBackBeforeIt) {
  append(1);
  turn();
  lane().read_ahead();
  turn();
  settle(take());
  append(2);
  turn();
  lane().read_ahead();
  put_back({record(9)});
  ledger.accepted += 1;
  turn();
  EXPECT_EQ(ledger.dropped_for(DropReason::damaged), 0U);
  EXPECT_EQ(ledger.spooled, 2U);
}

TEST_F(LaneTest, AFailingDiskDropsWhatWasSpilledAndRefusesFrames) {
  twin.fail({.operation = test::StorageOperation::write, .code = 10, .times = 1'000'000});
  append(1);
  confirm(2);
  turn();
  EXPECT_EQ(ledger.dropped_for(DropReason::spool_failed), 1U);
  EXPECT_EQ(answers, std::vector{proto::Refusal::spool_failing});
  EXPECT_EQ(spool->next_deadline(), never) << "nothing is left to be done";
  twin.clear_faults();
  clock.advance(Spool::retry_interval);
  confirm(2);
  turn();
  EXPECT_EQ(answers.back(), proto::Refusal::none);
  EXPECT_EQ(take_all(), (Numbers64{2}));
}

TEST_F(LaneTest, SettlementsAreAskedForAgainAfterTrouble) {
  confirm(1);
  turn();
  settle(take());
  twin.fail({.operation = test::StorageOperation::write, .code = 10, .times = 1'000'000});
  turn();
  EXPECT_EQ(spool->next_deadline(), clock.now().mono + Spool::retry_interval);
  twin.clear_faults();
  EXPECT_EQ(waiting(), (Numbers64{1}));
  clock.advance(Spool::retry_interval);
  turn();
  EXPECT_TRUE(waiting().empty());
  EXPECT_TRUE(spool->is_idle());
}

}  // namespace
}  // namespace outrider::sidecar
