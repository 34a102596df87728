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

  void leave_no_room_for_a_copy() {
    twin.fail({.operation = StorageOperation::open,
               .code = SQLITE_FULL,
               .times = StorageFault::forever,
               .path_end = ".partial"});
  }

  Numbers64 fill(std::uint64_t events) {
    Numbers64 numbers;
    for (std::uint64_t i = 1; i <= events; ++i) numbers.push_back(i);
    for (const std::uint64_t number : numbers) ask(spill({number}));
    return numbers;
  }
};

TEST_F(StorageFailureTest, AFullDiskRefusesWhatIsNewAndLetsGoWhatIsSettled) {
  const Block old = ask(frame(1, 1))->lanes.at(0).stored.at(0);
  // The group, also when the log has begun again, and then what it settles alone.
  twin.fail(
      {.operation = StorageOperation::write, .code = SQLITE_FULL, .times = 3, .path_end = "-wal"});
  Question group = frame(2, 2);
  group.spilled.push_back(add_bytes(group, 1, 3));
  group.settlements.push_back(whole(old));
  auto answer = ask(std::move(group));
  EXPECT_EQ(answer->intake_trouble, StorageTrouble::full);
  EXPECT_FALSE(answer->has_failed);
  EXPECT_TRUE(answer->frames.empty());
  EXPECT_TRUE(waiting().empty()) << "what is settled has gone all the same";
  EXPECT_EQ(reserve_bytes(twin, spool_path),
            StoreKeeper::reserve_bytes_min - StoreKeeper::reserve_step_bytes)
      << "the reserve is for this";
  answer = ask(frame(2, 2));
  EXPECT_FALSE(answer->intake_trouble);
  EXPECT_TRUE(answer->frames[0].is_new);
  EXPECT_EQ(waiting(), (Numbers64{2}));
  EXPECT_EQ(log.count("the spool's disk is full"), 1);
  EXPECT_EQ(log.count("the spool can be written again"), 1);
}

TEST_F(StorageFailureTest, ADiskOfAGivenSizeFillsUpAndRecovers) {
  twin.set_bytes_max(UINT64_MAX - twin.free_bytes() + 2'000'000);
  std::uint64_t sequence = 0;
  std::vector<Block> stored;
  for (;;) {
    ++sequence;
    const auto answer = ask(frame(sequence, sequence));
    if (answer->intake_trouble) break;
    stored.push_back(answer->lanes.at(0).stored.at(0));
    ASSERT_LT(sequence, 10'000U) << "the disk is never full";
  }
  for (const Block& block : stored) {
    Question group;
    group.settlements.push_back(whole(block));
    ASSERT_FALSE(ask(std::move(group))->has_failed) << "the reserve was to be for this";
  }
  EXPECT_TRUE(waiting().empty());
  twin.set_bytes_max(UINT64_MAX);
  clock.advance(2s);
  EXPECT_FALSE(ask(frame(sequence, sequence))->intake_trouble);
}

TEST_F(StorageFailureTest, ADiskThatFailsUndoesAllAndIsTriedAgain) {
  const Block old = ask(frame(1, 1))->lanes.at(0).stored.at(0);
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

TEST_F(StorageFailureTest, TooLittleRoomRefusesWhatIsNewButNotWhatAStopPutsBack) {
  settings.free_bytes_min = 1'000'000;
  crash();
  open();
  const Block old = ask(frame(1, 1))->lanes.at(0).stored.at(0);
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
  const Block old = ask(frame(1, 1))->lanes.at(0).stored.at(0);
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
  const std::optional<ReadAnswer>& read = answer->lanes.at(0).read;
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->has_failed || !read->blocks.empty());
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

TEST_F(StorageFailureTest, WhatWasPutBackJustBeforeDamageIsToldAfterIt) {
  Question group;
  group.dead.push_back(
      {0, DeadReason::refused, 0, 1, 1, clock.now().wall_ns(), "", stored_record(1)});
  ask(std::move(group));
  forget_pages();
  {
    Store store(Database(spool_path, OpenMode::read_write, twin.vfs_name()));
    store.begin(true);
    EXPECT_TRUE(store.put_back_dead(store.database().number("SELECT id FROM dead"), clock.now()));
    store.commit();
  }
  damage(twin, "client");
  EXPECT_EQ(ask(frame(1, 2))->lanes.at(0).returned.events, 1U);
  EXPECT_EQ(log.count("the damaged spool was set aside"), 1);
}

TEST_F(StorageFailureTest, OnlyWhatIsWhatWasWrittenIsCopied) {
  const std::uint64_t now_ns = clock.now().wall_ns();
  Question group;
  for (const std::uint64_t number : {1U, 2U}) {
    group.dead.push_back({0, DeadReason::refused, 0, 1, 1, now_ns, "", stored_record(number)});
    group.spilled.push_back(add_bytes(group, 0, number + 2, now_ns + 10'000'000'000));
  }
  ask(std::move(group));
  fill(2);
  agent.reset();
  {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    for (const char* table : {"block", "scheduled"}) {
      database.execute(std::string("UPDATE ") + table +
                       " SET crc=crc+1 WHERE id=(SELECT min(id) FROM " + table + ")");
    }
    database.execute("UPDATE dead SET record=x'00' WHERE id=(SELECT min(id) FROM dead)");
  }
  damage(twin, "client");
  open();
  ask(frame(1, 9));
  auto audit = tables()["audit"];
  EXPECT_EQ(numbers_of(audit.waiting), (Numbers64{2, 9}));
  EXPECT_EQ(numbers_of(audit.scheduled), (Numbers64{4}));
  EXPECT_EQ(numbers_of(audit.dead), (Numbers64{2}));
  EXPECT_EQ(log.count("unreadable=4"), 1) << "and the page of the clients";
}

/// One bit in the head of a row makes text of bytes, and bytes of text. They are the same bytes.
TEST_F(StorageFailureTest, BytesThatAreCalledTextAreNotLost) {
  const std::uint64_t now_ns = clock.now().wall_ns();
  Question group;
  group.dead.push_back({0, DeadReason::refused, 0, 1, 1, now_ns, "answer", stored_record(1)});
  group.spilled.push_back(add_bytes(group, 0, 2, now_ns + 10'000'000'000));
  ask(std::move(group));
  fill(3);
  agent.reset();
  const auto call_text = [&] {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    database.execute(
        "UPDATE block SET records=CAST(records AS TEXT);"
        "UPDATE scheduled SET record=CAST(record AS TEXT);"
        "UPDATE dead SET record=CAST(record AS TEXT), answer=CAST(answer AS BLOB);"
        "UPDATE destination SET events=0");
  };
  const auto look = [&](const char* when) {
    auto audit = tables()["audit"];
    EXPECT_EQ(audit.waiting.size(), 3U) << when;
    EXPECT_EQ(numbers_of(audit.scheduled), (Numbers64{2})) << when;
    EXPECT_EQ(numbers_of(audit.dead), (Numbers64{1})) << when;
  };
  call_text();
  open();
  EXPECT_EQ(log.count("they were rebuilt"), 1);
  look("counted anew");
  agent.reset();
  call_text();
  damage(twin, "client");
  open();
  look("copied");
  EXPECT_EQ(log.count("events_kept=4 dead_letters_kept=1"), 1);
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
  const std::vector<Block> old = ask(std::move(read))->lanes.at(0).read->blocks;
  ASSERT_EQ(old.size(), 2U);
  damage(twin, "client");
  leave_no_room_for_a_copy();
  ask(frame(2, 2));
  EXPECT_EQ(log.count("there was no room for a copy"), 1);
  Question stop;
  for (const Block& block : old) stop.settlements.push_back(whole(block));
  stop.front.push_back(block_of({3, 4}));
  ask(std::move(stop));
  EXPECT_EQ(waiting(), (Numbers64{3, 4, 2})) << "what is settled late is of the old spool";
}

TEST_F(StorageFailureTest, ADeadLetterNeverGetsTheIdOfOneThatWasLost) {
  forget_pages();
  const auto bury = [this] {
    Question question;
    question.dead.push_back(dead_letter(clock.now()));
    ask(std::move(question));
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    return database.number("SELECT max(id) FROM dead");
  };
  const std::int64_t lost = bury();
  damage(twin, "client");
  leave_no_room_for_a_copy();
  ask(frame(2, 2));
  ASSERT_EQ(log.count("there was no room for a copy"), 1);
  EXPECT_GT(bury(), lost) << "somebody may have noted it";
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

// Its log has another name by then: without it, the database is of another time.
TEST_F(StorageFailureTest, ADamagedSpoolIsNotUsedWithoutItsLogWhenARenameFails) {
  for (const char* path_end : {"-shm", "outrider.db"}) {
    forget_pages();
    fill(3);
    damage(twin, "client");
    leave_no_room_for_a_copy();
    twin.fail(
        {.operation = test::StorageOperation::rename, .code = SQLITE_IOERR, .path_end = path_end});
    EXPECT_TRUE(ask(frame(2, 2))->intake_trouble) << path_end;
    EXPECT_FALSE(ask(frame(2, 2))->intake_trouble) << path_end;
    EXPECT_EQ(waiting(), (Numbers64{2})) << path_end;
    twin.clear_faults();
    agent.reset();
    for (const std::string& path : twin.list()) twin.remove(path);
    open();
  }
  EXPECT_EQ(log.count("the interrupted replacement of a damaged spool is now complete"), 2);
  EXPECT_EQ(log.count("set_aside="), 2);
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

TEST_F(StorageFailureTest, AFlippedBitInANameOrphansNothing) {
  settings.lanes = {"audit", "backup", "audi4"};  // the last but for a bit the first
  agent.reset();
  open();
  ask(frame(1, 1));
  agent.reset();
  const std::string content = twin.content(spool_path);
  std::size_t found = 0;
  for (std::size_t at = 0; (at = content.find("audit", at)) != std::string::npos; ++at, ++found) {
    for (unsigned bit = 0; bit < 40; bit += 3) {
      for (const std::string& path : twin.list()) twin.remove(path);
      twin.put(spool_path, content);
      twin.flip_bit(spool_path, at + bit / 8, bit % 8);
      open();
      EXPECT_EQ(agent->state().lanes.at(0).events, 1U) << at << " bit " << bit;
      EXPECT_EQ(agent->state().lanes.at(2).events, 0U);
      EXPECT_EQ(waiting(), (Numbers64{1}));
      agent.reset();
    }
  }
  EXPECT_EQ(found, 2U) << "in the table and in its index";
  EXPECT_GE(log.count("the name of a destination in the spool was damaged; it is repaired "
                      "destination=audit was="),
            12);
  EXPECT_EQ(log.count("not configured"), 0);
}

TEST_F(StorageFailureTest, WithoutItsNameADestinationHasItsEvents) {
  ask(frame(1, 1));
  forget_pages();
  agent.reset();
  damage(twin, "destination");
  open();
  EXPECT_EQ(agent->state().lanes.at(0).events, 1U);
  EXPECT_EQ(waiting(), (Numbers64{1}));
}

TEST_F(StorageFailureTest, DestinationsOfASpoolOfOldKeepTheirIds) {
  ask(frame(1, 1));
  agent.reset();
  {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    const std::string hashed = std::to_string(destination_id("audit"));
    for (const char* what :
         {"destination SET id=1 WHERE id=", "block SET destination=1 WHERE destination="}) {
      database.execute("UPDATE " + (what + hashed));
    }
  }
  open();
  EXPECT_EQ(agent->state().lanes.at(0).events, 1U);
  ask(frame(2, 2));
  EXPECT_EQ(waiting(), (Numbers64{1, 2}));
}

TEST_F(StorageFailureTest, AnEventOfNobodyIsHisWhoseNameIsNearest) {
  ask(frame(1, 1));
  agent.reset();
  {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    database.execute("UPDATE block SET destination=destination + (1 << 47)");
  }
  open();
  EXPECT_EQ(agent->state().lanes.at(0).events, 1U);
  EXPECT_EQ(waiting(), (Numbers64{1}));
  EXPECT_EQ(log.count("they were rebuilt"), 1);
}

/// What shows at a start.
TEST_F(StorageFailureTest, TotalsThatAreNotThoseOfWhatThereIsAreCountedAnew) {
  const Numbers64 all = fill(3);
  agent.reset();
  for (const char* wrong :
       {"destination SET events=0", "destination SET bytes=-1", "destination SET events=-1",
        "destination SET scheduled_events=1", "counters SET next_block=1",
        "counters SET dead_events=1", "destination SET events=7 WHERE name='backup'"}) {
    {
      Database database(spool_path, OpenMode::read_write, twin.vfs_name());
      database.execute(std::string("UPDATE ") + wrong);
    }
    log.lines.clear();
    open();
    EXPECT_EQ(agent->state().lanes.at(0).events, 3U) << wrong;
    EXPECT_EQ(log.count("they were rebuilt"), 1) << wrong;
    EXPECT_EQ(waiting(), all);
    agent.reset();
  }
  log.lines.clear();
  open();
  EXPECT_EQ(log.count("rebuilt"), 0);
}

/// What shows when all was read.
TEST_F(StorageFailureTest, EventsThatTheIndexDoesNotNameAreFound) {
  fill(5);
  agent.reset();
  {
    // The row is gone from the index, and not from the table.
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    database.execute(
        "PRAGMA writable_schema=ON;"
        "UPDATE sqlite_schema SET sql='CREATE INDEX block_of_destination ON block(destination) "
        "WHERE events<>1' WHERE name='block_of_destination'");
  }
  {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    database.execute(
        "REINDEX; PRAGMA writable_schema=ON;"
        "UPDATE sqlite_schema SET sql='CREATE INDEX block_of_destination ON block(destination)' "
        "WHERE name='block_of_destination'");
  }
  open();
  EXPECT_EQ(agent->state().lanes.at(0).events, 5U);
  EXPECT_EQ(log.count("they were rebuilt"), 1);
  Question group;
  group.reads.push_back({0, INT64_MIN, 1U << 20U});
  EXPECT_EQ(ask(std::move(group))->lanes.at(0).read->blocks.size(), 5U);
}

TEST_F(StorageFailureTest, WhatIsDoubtedIsLookedAtAnew) {
  fill(3);
  {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    database.execute("UPDATE destination SET events=5");
  }
  Question group;
  group.reads.push_back({0, INT64_MIN, 1U << 20U, true});
  EXPECT_EQ(ask(std::move(group))->lanes.at(0).read->blocks.size(), 3U);
  EXPECT_EQ(waiting(), (Numbers64{1, 2, 3}));
}

TEST_F(StorageFailureTest, WhatSaysWronglyThatEventsAreDoneIsNotBelieved) {
  Question group = spill({1, 2, 3});
  ask(std::move(group));
  Question read;
  read.reads.push_back({0, INT64_MIN, 1U << 20U});
  const Block block = ask(std::move(read))->lanes.at(0).read->blocks.at(0);
  Question settle;
  settle.settlements.push_back({block.id, 0, 1, stored_record(1).size(), false, {0b001}});
  ask(std::move(settle));
  {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    database.execute("UPDATE settled SET events=x'03'");
  }
  read.reads.push_back({0, INT64_MIN, 1U << 20U});
  EXPECT_TRUE(ask(std::move(read))->lanes.at(0).read->blocks.at(0).settled.empty());
  EXPECT_EQ(waiting(), (Numbers64{1, 2, 3}));
  EXPECT_EQ(log.count("they were rebuilt"), 1);
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
