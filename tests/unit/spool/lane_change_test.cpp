// Lanes that begin and end while the sidecar runs.

#include <optional>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class LaneChangeTest : public SpoolFixture {
 protected:
  LaneChangeTest() {
    settings.lanes = {"audit"};
    start();
  }

  void start() {
    open();
    SpoolSettings spool_settings;
    spool_settings.bytes_max = 1U << 30U;
    spool_settings.lanes = {lane_settings};
    spool = std::make_unique<Spool>(spool_settings, agent->state().lanes, exchange, log);
    spool->lane(0).attach(audit);
  }
  void turn() {
    for (int i = 0; i < 10; ++i) {
      spool->hand_over(clock.now());
      agent->do_work(clock.now());
      spool->do_work(clock.now());
    }
  }
  void begin_opening(DestinationHandle handle) {
    opened.reset();
    spool->open_lanes({{handle, "backup", lane_settings}},
                      [this](const Status& status, const Now&) { opened = status; });
  }
  /// Of `handle`, whose lane keeps its part of `backup`.
  void open_lane(DestinationHandle handle, const std::string& name = "backup") {
    opened.reset();
    spool->open_lanes({{handle, name, lane_settings}}, [&](const Status& status, const Now&) {
      opened = status;
      if (status.ok()) spool->lane(handle).attach(backup);
    });
    turn();
    EXPECT_TRUE(opened && opened->ok());
  }
  bool append(DestinationHandle handle, std::uint64_t number, std::uint64_t due_ns = 0) {
    const auto bytes = test::numbered_record({.number = number});
    const bool is_taken =
        spool->lane(handle).schedule(read_record(bytes.data()), due_ns, clock.now());
    if (is_taken) ++(handle == 0 ? audit : backup).accepted;
    return is_taken;
  }
  Numbers64 take_all(DestinationHandle handle) {
    Numbers64 numbers;
    Lane& lane = spool->lane(handle);
    for (int i = 0; i < 10; ++i) {
      lane.read_ahead();
      turn();
      while (lane.has_next()) {
        const proto::ByteView stored = lane.next();
        std::vector<std::uint8_t> bytes(restored_record_bytes(stored));
        restore_record(stored, lane.next_origin(), clock.now(), bytes.data());
        lane.take_next();
        const RecordView record = read_record(bytes.data());
        numbers.push_back(test::number_in(record.data));
        lane.settle(record);
        ++backup.delivered;
      }
    }
    turn();
    return numbers;
  }

  const LaneSettings lane_settings{1U << 30U, std::chrono::hours(1), false};
  std::unique_ptr<Spool> spool;
  Ledger audit;
  Ledger backup;
  std::optional<Status> opened;
};

TEST_F(LaneChangeTest, ALaneThatIsOpenedTakesAndGivesBackEvents) {
  open_lane(3);
  EXPECT_TRUE(append(3, 7));
  EXPECT_TRUE(append(0, 8));
  turn();
  EXPECT_EQ(waiting("backup"), (Numbers64{7}));
  EXPECT_EQ(take_all(3), (Numbers64{7}));
  EXPECT_EQ(waiting("backup"), Numbers64{});
  EXPECT_EQ(waiting("audit"), (Numbers64{8}));
  EXPECT_TRUE(backup.is_balanced());
}

TEST_F(LaneChangeTest, FindsTheEventsThatAnEarlierRunHasLeft) {
  settings.lanes = {"backup"};
  spool.reset();
  agent.reset();
  open();
  ask(spill({1, 2}));
  settings.lanes = {"audit"};
  agent.reset();
  start();
  open_lane(1);
  EXPECT_EQ(backup.recovered, 2U);
  EXPECT_EQ(backup.spooled, 2U);
  EXPECT_EQ(take_all(1), (Numbers64{1, 2}));
  EXPECT_TRUE(backup.is_balanced());
}

TEST_F(LaneChangeTest, AClosedLaneLeavesItsEventsToTheNextOneOfItsName) {
  open_lane(1);
  append(1, 1);
  append(1, 2, clock.now().wall_ns() + 1'000'000'000);
  EXPECT_FALSE(spool->lane(1).is_at_rest()) << "they are on the way to the disk";
  turn();
  ASSERT_TRUE(spool->lane(1).is_at_rest());
  spool->close_lane(1);
  turn();
  clock.advance(2s);
  turn();  // the scheduled event is due, and its lane is gone
  EXPECT_EQ(waiting("backup"), (Numbers64{1, 2}));
  EXPECT_EQ(backup.accepted, 2U);
  open_lane(2);
  EXPECT_EQ(backup.accepted, 2U) << "known already";
  EXPECT_EQ(backup.recovered, 0U);
  EXPECT_EQ(backup.spooled, 2U);
  EXPECT_EQ(take_all(2), (Numbers64{1, 2}));
  EXPECT_TRUE(backup.is_balanced());
}

TEST_F(LaneChangeTest, ADueEventOfALaneThatOpensGoesToIt) {
  open_lane(1);
  append(1, 5, clock.now().wall_ns() + 1'000'000'000);
  turn();
  spool->close_lane(1);
  turn();
  clock.advance(2s);
  open_lane(2);  // in the transaction that releases it
  EXPECT_EQ(take_all(2), (Numbers64{5}));
  EXPECT_TRUE(backup.is_balanced());
}

TEST_F(LaneChangeTest, OnAFullDiskNoLaneIsOpened) {
  settings.free_bytes_min = 1U << 30U;
  twin.set_bytes_max(100U << 20U);
  spool.reset();
  agent.reset();
  start();
  begin_opening(1);
  turn();
  ASSERT_TRUE(opened && !opened->ok());
  EXPECT_EQ(opened->error().message, "the spool's disk is full");
  EXPECT_FALSE(spool->is_opening());
}

TEST_F(LaneChangeTest, AnOpeningThatNobodyWaitsForIsUndone) {
  begin_opening(1);
  spool->forget_opening();
  turn();
  EXPECT_FALSE(opened.has_value());
  EXPECT_TRUE(spool->is_idle());
  open_lane(2);
  append(2, 1);
  turn();
  EXPECT_EQ(take_all(2), (Numbers64{1}));
}

/// The database is replaced in the transaction that opens the lane, or in a later one.
TEST_F(LaneChangeTest, AReplacedStoreHasTheLanesThatWereOpened) {
  for (const bool is_open : {false, true}) {
    SCOPED_TRACE(is_open);
    const DestinationHandle handle = is_open ? 1 : 2;
    if (is_open) open_lane(handle, "early");
    twin.fail({.operation = test::StorageOperation::write,
               .code = SQLITE_CORRUPT,
               .times = 3,
               .path_end = "-wal"});
    if (!is_open) open_lane(handle, "late");
    append(0, 9);
    turn();
    clock.advance(1s);
    turn();
    append(handle, 4);
    turn();
    EXPECT_EQ(take_all(handle), (Numbers64{4}));
    twin.clear_faults();
  }
}

}  // namespace
}  // namespace outrider::sidecar
