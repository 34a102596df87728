// The storage agent on a disk that is full, fails, is damaged, or ends in the middle.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::StorageCrash;
using test::StorageFault;
using test::StorageOperation;

class StorageFailureTest : public SpoolFixture {
 protected:
  StorageFailureTest() { open(); }

  /// What made the tables has them in memory.
  void forget_pages() {
    agent.reset();
    open();
  }

  Numbers64 fill(std::uint64_t events) {
    Numbers64 numbers;
    for (std::uint64_t i = 1; i <= events; ++i) numbers.push_back(i);
    for (const std::uint64_t number : numbers) ask(spill({number}));
    return numbers;
  }
};

TEST_F(StorageFailureTest, AFullDiskRefusesWhatIsNewAndLetsGoWhatIsSettled) {
  const Block old = ask(frame(1, 1))->stored.at(0);
  twin.fail({.operation = StorageOperation::write, .code = SQLITE_FULL, .path_end = "-wal"});
  Question group = frame(2, 2);
  group.spilled.push_back(add_bytes(group, 1, 3));
  group.settlements.push_back(whole(old));
  auto answer = ask(std::move(group));
  EXPECT_EQ(answer->intake_trouble, StorageTrouble::full);
  EXPECT_FALSE(answer->has_failed);
  EXPECT_TRUE(answer->frames.empty());
  EXPECT_TRUE(waiting().empty()) << "what is settled has gone all the same";
  EXPECT_FALSE(twin.exists(reserve_path(spool_path))) << "the reserve is for this";
  answer = ask(frame(2, 2));
  EXPECT_FALSE(answer->intake_trouble);
  EXPECT_TRUE(answer->frames[0].is_new);
  EXPECT_EQ(waiting(), (Numbers64{2}));
  EXPECT_EQ(log.count("the spool's disk is full"), 1);
  EXPECT_EQ(log.count("the spool can be written again"), 1);
}

TEST_F(StorageFailureTest, ADiskOfAGivenSizeFillsUpAndRecovers) {
  twin.set_bytes_max(UINT64_MAX - twin.free_bytes() + 200'000);
  std::uint64_t sequence = 0;
  std::vector<Block> stored;
  for (;;) {
    ++sequence;
    const auto answer = ask(frame(sequence, sequence));
    if (answer->intake_trouble) break;
    stored.push_back(answer->stored.at(0));
    ASSERT_LT(sequence, 10'000U) << "the disk is never full";
  }
  for (const Block& block : stored) {
    Question group;
    group.settlements.push_back(whole(block));
    ASSERT_FALSE(ask(std::move(group))->has_failed) << "the reserve was to be for this";
  }
  EXPECT_TRUE(waiting().empty());
  twin.set_bytes_max(UINT64_MAX);
  EXPECT_FALSE(ask(frame(sequence, sequence))->intake_trouble);
}

TEST_F(StorageFailureTest, ADiskThatFailsUndoesAllAndIsTriedAgain) {
  const Block old = ask(frame(1, 1))->stored.at(0);
  for (const StorageOperation operation : {StorageOperation::write, StorageOperation::sync}) {
    twin.fail({.operation = operation, .code = SQLITE_IOERR, .times = StorageFault::forever});
    Question group = frame(2, 2);
    group.settlements.push_back(whole(old));
    group.dead.push_back({0, DeadReason::refused, 0, 1, 1, 1, "", stored_record(1)});
    const auto answer = ask(std::move(group));
    EXPECT_TRUE(answer->has_failed);
    EXPECT_EQ(answer->intake_trouble, StorageTrouble::failing);
    twin.clear_faults();
    EXPECT_EQ(waiting(), (Numbers64{1}));
    EXPECT_TRUE(tables()["audit"].dead.empty());
  }
  EXPECT_TRUE(ask(frame(2, 2))->frames[0].is_new);
  EXPECT_EQ(waiting(), (Numbers64{1, 2}));
}

TEST_F(StorageFailureTest, ADiskThatComesAndGoesMakesOneLineOfAKindInTenSeconds) {
  std::uint64_t sequence = 0;
  for (int i = 0; i < 100; ++i) {
    twin.fail({.operation = StorageOperation::write, .code = SQLITE_IOERR, .times = 2});
    ++sequence;
    EXPECT_TRUE(ask(frame(sequence, sequence))->intake_trouble);
    clock.advance(100ms);
    twin.clear_faults();
    EXPECT_FALSE(ask(frame(sequence, sequence))->intake_trouble);
    clock.advance(100ms);
  }
  EXPECT_LE(log.count("the spool cannot be written"), 3);
  EXPECT_LE(log.count("the spool can be written again"), 3);
  EXPECT_LE(agent->next_deadline(), clock.now().mono + 10s);
  clock.advance(10s);
  agent->do_work(clock.now());
  EXPECT_NE(log.lines.back().find("the spool can be written again"), std::string::npos)
      << "what was left out is said at last";
  clock.advance(1min);
  agent->do_work(clock.now());
  EXPECT_EQ(log.count("the spool can be written again"), log.count("the spool cannot be written"));
}

TEST_F(StorageFailureTest, AGapThatAFailedSyncLeftTakesNothingConfirmedWithIt) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::uint64_t first = seed * 10;
    const Block old = ask(frame(first, 1))->stored.at(0);
    Question settled;
    settled.settlements.push_back(whole(old));
    ask(std::move(settled));  // committed, not synced
    twin.fail({.operation = StorageOperation::sync, .code = SQLITE_IOERR_FSYNC});
    EXPECT_TRUE(ask(frame(first + 1, 2))->intake_trouble);
    if (seed % 2 == 0) {
      crash();
      open();
    }
    const auto answer = ask(frame(first + 1, 2));
    ASSERT_EQ(answer->intake_trouble, std::nullopt);
    crash(StorageCrash::power);
    open();
    ASSERT_FALSE(ask(frame(first + 1, 2))->frames[0].is_new)
        << "it was confirmed and is gone, seed " << seed;
  }
}

TEST_F(StorageFailureTest, TooLittleRoomRefusesWhatIsNewButNotWhatAStopPutsBack) {
  settings.free_bytes_min = 1'000'000;
  crash();
  open();
  const Block old = ask(frame(1, 1))->stored.at(0);
  twin.set_bytes_max(UINT64_MAX - twin.free_bytes() + 500'000);
  clock.advance(2s);
  EXPECT_EQ(ask(frame(2, 2))->intake_trouble, StorageTrouble::full);
  Question stop;
  stop.front.push_back(block_of({1, 3}));
  stop.settlements.push_back(whole(old));
  ask(std::move(stop));
  EXPECT_EQ(waiting(), (Numbers64{1, 3}));
  twin.set_bytes_max(UINT64_MAX);
  clock.advance(2s);
  EXPECT_FALSE(ask(frame(2, 2))->intake_trouble);
}

TEST_F(StorageFailureTest, WhatAStopPutsBackIsNotSettledIfItCannotBeStored) {
  const Block old = ask(frame(1, 1))->stored.at(0);
  twin.fail({.operation = StorageOperation::write,
             .code = SQLITE_FULL,
             .times = StorageFault::forever,
             .path_end = "-wal"});
  Question stop;
  stop.front.push_back(block_of({1, 3}));
  stop.settlements.push_back(whole(old));
  EXPECT_TRUE(ask(std::move(stop))->has_failed);
  twin.clear_faults();
  EXPECT_EQ(waiting(), (Numbers64{1}));
}

TEST_F(StorageFailureTest, AReadThatFailsSaysSo) {
  fill(3);
  crash();
  open();
  twin.fail({.operation = StorageOperation::read, .code = SQLITE_IOERR_READ, .times = 1000});
  Question group;
  group.reads.push_back({0, INT64_MIN, 1U << 20U});
  const auto answer = ask(std::move(group));
  ASSERT_EQ(answer->reads.size(), 1U);
  EXPECT_TRUE(answer->reads[0].has_failed || !answer->reads[0].blocks.empty());
}

/// One page of a tree is not what was written.
void damage(test::StorageTwin& twin, const std::string& table) {
  std::int64_t page = 0;
  {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    page = database.number("SELECT rootpage FROM sqlite_schema WHERE name='" + table + "'");
  }
  twin.overwrite(spool_path, static_cast<std::size_t>(page - 1) * 4096, std::string(4096, '\xff'));
}

TEST_F(StorageFailureTest, ADamagedSpoolIsSetAsideAndWhatCanBeReadIsKept) {
  const Numbers64 all = fill(300);
  agent.reset();
  damage(twin, "client");
  open();
  const auto answer = ask(frame(1, 1000));
  EXPECT_EQ(answer->frames[0].status, proto::Refusal::none);
  EXPECT_TRUE(answer->frames[0].is_new);
  Numbers64 expected = all;
  expected.push_back(1000);
  EXPECT_EQ(waiting(), expected);
  EXPECT_EQ(log.count("the damaged spool was set aside"), 1);
  int set_aside = 0;
  for (const std::string& path : twin.list()) {
    set_aside += path.find(".damaged-") == std::string::npos ? 0 : 1;
    EXPECT_EQ(path.find(".partial"), std::string::npos);
    EXPECT_EQ(path.find(".recovered"), std::string::npos);
  }
  EXPECT_GE(set_aside, 1);
}

TEST_F(StorageFailureTest, TheCopyOfADamagedSpoolHasALogAndLosesNothingWithThePower) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    ask(frame(10 * seed, 1));
    agent.reset();
    damage(twin, "counters");
    open();
    ask(frame(10 * seed + 1, 2));
    EXPECT_TRUE(twin.exists(std::string(spool_path) + "-wal"));
    crash(StorageCrash::power);
    open();
    ASSERT_FALSE(ask(frame(10 * seed + 1, 2))->frames[0].is_new)
        << "it was confirmed and is gone, seed " << seed;
  }
}

TEST_F(StorageFailureTest, NamesThatWereLostWithDamageAreKnownWhileTheSidecarRuns) {
  ask(frame(1, 1));
  ask(spill({2}, 1));
  forget_pages();
  damage(twin, "destination");
  twin.fail({.operation = StorageOperation::write, .code = SQLITE_CORRUPT, .path_end = "-wal"});
  ask(frame(2, 3));
  EXPECT_EQ(log.count("the damaged spool was set aside"), 1);
  EXPECT_EQ(waiting("audit"), (Numbers64{1, 3}));
  EXPECT_EQ(waiting("backup"), (Numbers64{2}));
}

TEST_F(StorageFailureTest, ADamagedSpoolStaysWhereItIsWhileNoFileCanBeOpenedForTheCopy) {
  Numbers64 expected = fill(300);
  agent.reset();
  damage(twin, "client");
  open();
  twin.fail({.operation = StorageOperation::open,
             .code = SQLITE_CANTOPEN,
             .times = StorageFault::forever,
             .path_end = ".partial"});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(ask(frame(1, 1000))->intake_trouble);
    clock.advance(1s);
  }
  EXPECT_EQ(log.count("the damaged spool was set aside"), 0);
  EXPECT_EQ(log.count("the spool is damaged"), 1);
  twin.clear_faults();
  EXPECT_FALSE(ask(frame(1, 1000))->intake_trouble);
  expected.push_back(1000);
  EXPECT_EQ(waiting(), expected);
}

TEST_F(StorageFailureTest, IdsAreNotGivenOutAgainWhereThereWasNoRoomForACopy) {
  forget_pages();
  Question first = spill({1});
  first.front.push_back(block_of({5}));
  ask(std::move(first));
  Question read;
  read.reads.push_back({0, INT64_MIN, 1U << 20U});
  const std::vector<Block> old = ask(std::move(read))->reads.at(0).blocks;
  ASSERT_EQ(old.size(), 2U);
  damage(twin, "client");
  twin.fail({.operation = StorageOperation::open,
             .code = SQLITE_FULL,
             .times = StorageFault::forever,
             .path_end = ".partial"});
  ask(frame(2, 2));
  EXPECT_EQ(log.count("there was no room for a copy"), 1);
  Question stop;
  for (const Block& block : old) stop.settlements.push_back(whole(block));
  stop.front.push_back(block_of({3, 4}));
  ask(std::move(stop));
  EXPECT_EQ(waiting(), (Numbers64{3, 4, 2})) << "what is settled late is of the old spool";
}

TEST_F(StorageFailureTest, ACopyThatCouldNotTakeItsPlaceAtOnceTakesItLater) {
  forget_pages();
  fill(3);
  damage(twin, "client");
  twin.fail({.operation = test::StorageOperation::rename,
             .code = SQLITE_IOERR,
             .path_end = ".recovered"});
  EXPECT_TRUE(ask(frame(2, 2))->intake_trouble);
  EXPECT_FALSE(ask(frame(2, 2))->intake_trouble);
  EXPECT_EQ(waiting(), (Numbers64{1, 2, 3, 2})) << "and no empty one takes it";
}

TEST_F(StorageFailureTest, WhatWasSetAsideIsNotOverwritten) {
  for (int i = 0; i < 2; ++i) {
    ask(frame(static_cast<std::uint64_t>(i) + 1, 1));
    agent.reset();
    twin.put(spool_path, std::string(10'000, 'x'));
    open();
  }
  int set_aside = 0;
  for (const std::string& path : twin.list()) set_aside += path.find(".damaged-") != path.npos;
  EXPECT_EQ(set_aside, 2);
}

TEST_F(StorageFailureTest, AFlippedBitInANameEndsNoStart) {
  ask(frame(1, 1));
  agent.reset();
  const std::string content = twin.content(spool_path);
  std::size_t found = 0;
  for (std::size_t at = 0; (at = content.find("audit", at)) != std::string::npos; ++at, ++found) {
    for (const std::string& path : twin.list()) twin.remove(path);
    twin.put(spool_path, content);
    twin.flip_bit(spool_path, at + 1, 2);
    EXPECT_TRUE(try_open().ok()) << at;
  }
  EXPECT_EQ(found, 2U) << "in the table and in its index";
}

TEST_F(StorageFailureTest, AFileThatIsNoDatabaseIsSetAside) {
  fill(3);
  agent.reset();
  twin.put(spool_path, std::string(10'000, 'x'));
  open();
  EXPECT_TRUE(waiting().empty());
  EXPECT_TRUE(ask(frame(1, 1))->frames[0].is_new);
}

/// Sets the spool aside, and is cut short at each change that this makes to the disk.
TEST_F(StorageFailureTest, ACrashAtAnyPointOfSettingAsideLosesNothing) {
  const Numbers64 all = fill(40);
  agent.reset();
  damage(twin, "schedule");
  const std::string damaged = twin.content(spool_path);
  for (const StorageCrash kind : {StorageCrash::process, StorageCrash::power}) {
    bool has_crashed = true;
    for (std::uint64_t nth = 1; has_crashed; ++nth) {
      for (const std::string& path : twin.list()) twin.remove(path);
      twin.sync_directory();
      twin.put(spool_path, damaged);
      twin.crash_at(nth, kind);
      const bool is_open = try_open().ok();  // and closed again
      has_crashed = twin.is_down();
      EXPECT_TRUE(is_open || has_crashed);
      twin.crash_at(UINT64_MAX / 2, kind);
      twin.restart();
      open();
      ASSERT_EQ(waiting(), all) << "crash at change " << nth;
      agent.reset();
      ASSERT_LT(nth, 2000U);
    }
  }
}

}  // namespace
}  // namespace outrider::sidecar
