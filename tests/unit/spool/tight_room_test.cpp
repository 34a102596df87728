// The storage agent where room is almost gone for good: a log that cannot grow, a reserve that
// another program took, a limit on the size of files.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::StorageFault;
using test::StorageOperation;

class TightRoomTest : public SpoolFixture {
 protected:
  void leave_free(std::uint64_t bytes) {
    twin.set_bytes_max(UINT64_MAX);
    twin.set_bytes_max(UINT64_MAX - twin.free_bytes() + bytes);
  }

  bool store_block() {
    Question question;
    for (int i = 0; i < 2000; ++i) question.spilled.push_back(add_bytes(question, 0, ++number_));
    clock.advance(2s);
    return !ask(std::move(question))->intake_trouble;
  }
  void store_blocks(int blocks) {
    for (; blocks > 0; --blocks) ASSERT_TRUE(store_block());
  }

  std::vector<Block> read_all() {
    Question question;
    question.reads.push_back({0, INT64_MIN, 1U << 30U});
    return std::move(ask(std::move(question))->lanes.at(0).read->blocks);
  }

  bool settle(const Settlement& settlement) {
    Question question;
    question.settlements.push_back(settlement);
    clock.advance(10ms);
    return !ask(std::move(question))->has_failed;
  }

  void settle_all() {
    for (const Block& block : read_all()) ASSERT_TRUE(settle(whole(block)));
  }

  /// The first events one after the other, each of which writes the same pages to the log again,
  /// and then the rest if `is_whole`.
  bool settle_parts(const Block& block, std::uint32_t events, bool is_whole) {
    Settlement part{block.id, 0, 1, 0, false, Bytes((block.events + 7) / 8)};
    std::uint64_t bytes_left = block.records.size();
    const std::uint8_t* record = block.records.data();
    for (std::uint32_t i = 0; i < events; ++i, record += part.bytes) {
      part.bytes = record_bytes_at(record);
      part.settled[i / 8] |= static_cast<std::uint8_t>(1U << (i % 8));
      bytes_left -= part.bytes;
      if (!settle(part)) return false;
    }
    return !is_whole || settle({block.id, 0, block.events - events, bytes_left, true, {}});
  }

  /// As after a stop on a disk that another program then fills.
  void start_without_reserve(std::uint64_t free_bytes) {
    agent.reset();
    twin.remove(reserve_path(spool_path));
    leave_free(free_bytes);
    open();
  }

  bool takes_a_frame() {
    clock.advance(2s);
    ++number_;
    return !ask(frame(number_, number_))->intake_trouble;
  }

  const std::string log_path_ = wal_path(spool_path);
  std::uint64_t number_ = 0;
};

/// What the system does not delete makes no room, however often it is tried.
TEST_F(TightRoomTest, AReserveThatCannotBeDeletedIsNotGivenBackForEver) {
  constexpr std::uint64_t operations_max = 1000;
  open();
  const Block old = ask(frame(1, 1))->lanes.at(0).stored.at(0);
  const auto refuse = [&](StorageOperation operation, int code, const char* path_end) {
    twin.fail({.operation = operation,
               .code = code,
               .times = StorageFault::forever,
               .path_end = path_end});
  };
  refuse(StorageOperation::write, SQLITE_FULL, "-wal");
  refuse(StorageOperation::remove, SQLITE_IOERR_DELETE, ".reserve");
  twin.allow_operations(operations_max);
  EXPECT_FALSE(settle(whole(old)));
  EXPECT_FALSE(twin.has_overrun());
  agent.reset();
  twin.clear_faults();
  refuse(StorageOperation::shm_map, SQLITE_IOERR_SHMSIZE, "");
  refuse(StorageOperation::remove, SQLITE_IOERR_DELETE, ".reserve");
  twin.allow_operations(operations_max);
  EXPECT_FALSE(try_open().ok());
  EXPECT_FALSE(twin.has_overrun());
  twin.clear_faults();
  open();
  EXPECT_TRUE(settle(whole(old)));
}

TEST_F(TightRoomTest, ALogThatCannotGrowBeginsAgain) {
  settings.log_bytes = StoreKeeper::log_bytes;
  open();
  store_blocks(20);
  start_without_reserve(600'000);
  ASSERT_FALSE(twin.exists(reserve_path(spool_path)));
  // As they are delivered: each block in parts, and then the rest of it.
  for (const Block& block : read_all()) {
    ASSERT_TRUE(settle_parts(block, 40, true)) << "block " << block.id;
  }
  EXPECT_TRUE(waiting().empty());
  EXPECT_EQ(log.count("the spool's disk is full"), 0);
}

TEST_F(TightRoomTest, ADrainedSpoolTakesInWithoutAReserve) {
  settings.log_bytes = StoreKeeper::log_bytes;
  for (const std::uint64_t free_bytes : {2'700'000U, 300'000U}) {
    leave_free(1U << 30U);
    open();
    store_blocks(40);
    settle_all();
    start_without_reserve(free_bytes);
    EXPECT_TRUE(takes_a_frame()) << free_bytes;
    EXPECT_TRUE(takes_a_frame()) << free_bytes;
    settle_all();
    agent.reset();
  }
}

TEST_F(TightRoomTest, AFullSpoolWithoutAReserveTakesNothingIn) {
  settings.log_bytes = StoreKeeper::log_bytes;
  open();
  store_blocks(40);
  start_without_reserve(2'700'000);
  EXPECT_FALSE(takes_a_frame());
}

TEST_F(TightRoomTest, PagesThatAreWrittenAgainAreNoGrowth) {
  open();
  store_blocks(2);
  const auto blocks = read_all();
  for (const Block& block : blocks) ASSERT_TRUE(settle_parts(block, 500, false));
  ASSERT_GT(twin.file_bytes(log_path_), 6U << 20U);
  leave_free(4U << 20U);
  EXPECT_TRUE(takes_a_frame());
}

TEST_F(TightRoomTest, ALogThatAnotherProgramHasMovedIsNoGrowth) {
  open();
  store_blocks(30);
  const std::uint64_t before = twin.file_bytes(spool_path);
  leave_free(100U << 20U);
  {
    Database other(spool_path, OpenMode::read_write, twin.vfs_name());
    other.number("SELECT count(*) FROM block");
    other.checkpoint();
  }
  ASSERT_GT(twin.file_bytes(spool_path), before + (2U << 20U));
  leave_free(2U << 20U);
  EXPECT_TRUE(takes_a_frame());
}

TEST_F(TightRoomTest, WhatIsTakenInCanLeaveTheLogWhateverTheLimitOnFiles) {
  constexpr std::uint64_t file_bytes_max = 6U << 20U;
  twin.set_file_bytes_max(file_bytes_max);
  open();
  int blocks = 0;
  while (store_block()) ASSERT_LT(++blocks, 200) << "the database would be longer than it may";
  EXPECT_GT(blocks, 10);
  EXPECT_EQ(log.count("too little room"), 1);
  EXPECT_EQ(log.count("file_bytes_max=6MiB"), 1);
  agent.reset();
  EXPECT_FALSE(twin.exists(log_path_)) << "all of it has left the log";
  EXPECT_LE(twin.file_bytes(spool_path), file_bytes_max);
  open();
  const auto stored = read_all();
  EXPECT_EQ(stored.size(), static_cast<std::size_t>(blocks));
  for (const Block& block : stored) ASSERT_TRUE(settle_parts(block, 20, true));
  EXPECT_TRUE(waiting().empty());
  EXPECT_TRUE(takes_a_frame());
  EXPECT_EQ(log.count("cannot be written") + log.count("disk is full"), 0);
}

TEST_F(TightRoomTest, DeadLettersDoNotMakeTheDatabaseLongerThanItsFileMayBe) {
  constexpr std::uint64_t file_bytes_max = 3U << 20U;
  settings.dead.events_max = 1'000'000;
  twin.set_file_bytes_max(file_bytes_max);
  open();
  bool has_failed = false;
  for (int i = 0; i < 100 && !has_failed; ++i) {
    Question question;
    question.dead.assign(1000, dead_letter(clock.now()));
    has_failed = ask(std::move(question))->has_failed;
  }
  EXPECT_TRUE(has_failed);
  agent.reset();
  EXPECT_FALSE(twin.exists(log_path_));
  EXPECT_LE(twin.file_bytes(spool_path), file_bytes_max);
}

}  // namespace
}  // namespace outrider::sidecar
