// The storage agent where there is little room: free pages, quotas, the reserve, the log.

#include <cerrno>
#include <cstring>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::StorageFault;
using test::StorageOperation;

class StorageRoomTest : public SpoolFixture {
 protected:
  void leave_free(std::uint64_t bytes) {
    twin.set_bytes_max(UINT64_MAX);
    twin.set_bytes_max(UINT64_MAX - twin.free_bytes() + bytes);
  }

  void store_blocks(std::uint64_t blocks) {
    for (std::uint64_t i = 0; i < blocks; ++i) {
      Question question;
      for (std::uint64_t event = 0; event < 2000; ++event) {
        question.spilled.push_back(add_bytes(question, 0, i * 2000 + event));
      }
      ASSERT_FALSE(ask(std::move(question))->intake_trouble);
    }
  }

  std::vector<Block> read_all() {
    Question question;
    question.reads.push_back({0, INT64_MIN, 1U << 30U});
    return std::move(ask(std::move(question))->lanes.at(0).read->blocks);
  }

  void settle_all() {
    for (const Block& block : read_all()) {
      Question question;
      question.settlements.push_back(whole(block));
      ASSERT_FALSE(ask(std::move(question))->has_failed);
    }
  }
};

TEST_F(StorageRoomTest, PagesOfTheDatabaseThatNothingUsesAreRoom) {
  settings.free_bytes_min = 1'000'000;
  open();
  store_blocks(20);
  leave_free(500'000);
  clock.advance(2s);
  EXPECT_EQ(ask(frame(1, 1))->intake_trouble, StorageTrouble::full);
  settle_all();
  clock.advance(2s);
  EXPECT_FALSE(ask(frame(1, 1))->intake_trouble) << "all of it was delivered";
  agent.reset();
  leave_free(500'000);
  open();
  EXPECT_FALSE(ask(frame(2, 2))->intake_trouble) << "and at the next start";
}

TEST_F(StorageRoomTest, WhatIsTakenIntoFreePagesIsCounted) {
  settings.free_bytes_min = 1'000'000;
  open();
  store_blocks(20);
  settle_all();
  leave_free(500'000);
  clock.advance(2s);
  std::uint64_t taken = 0;
  while (!ask(spill(Numbers64(2000, 1)))->intake_trouble) {
    clock.advance(100ms);
    ASSERT_LT(++taken, 20U) << "the file would have grown";
  }
  EXPECT_GT(taken, 2U);
}

TEST_F(StorageRoomTest, EveryErrorThatMeansNoRoomIsOne) {
  open();
  for (const StorageFault& fault :
       {StorageFault{StorageOperation::write, SQLITE_IOERR_WRITE, 1, 2, EDQUOT},
        StorageFault{StorageOperation::write, SQLITE_IOERR_WRITE, 1, 2, EFBIG},
        StorageFault{StorageOperation::sync, SQLITE_IOERR_FSYNC, 1, 2, ENOSPC}}) {
    twin.fail(fault);
    EXPECT_EQ(ask(frame(1, 1))->intake_trouble, StorageTrouble::full) << fault.error;
    EXPECT_EQ(reserve_bytes(twin, spool_path), StoreKeeper::reserve_bytes_min)
        << "it is not for what is new";
    twin.clear_faults();
    crash();
    open();
  }
  EXPECT_FALSE(ask(frame(1, 1))->intake_trouble);
}

TEST_F(StorageRoomTest, NoRoomForTheFilesBesideSQLiteIsNoRoomToo) {
  open();
  agent.reset();
  twin.fail({.operation = StorageOperation::sync,
             .code = SQLITE_IOERR_FSYNC,
             .error = ENOSPC,
             .path_end = spool_path});
  open();  // by the reserve
  agent.reset();
  twin.put(spool_path, std::string(10'000, 'x'));
  twin.fail({.operation = StorageOperation::rename,
             .code = SQLITE_IOERR,
             .times = 2,
             .error = EDQUOT,
             .path_end = ".recovered"});
  const auto opened = try_open();
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("the disk quota is used up"), std::string::npos);
  open();
}

TEST_F(StorageRoomTest, NoRoomToWriteTheLogAgainIsNoRoomToo) {
  open();
  Database reader(spool_path, OpenMode::read_write, twin.vfs_name());
  reader.execute("BEGIN");
  reader.number("SELECT count(*) FROM block");
  twin.fail({.operation = StorageOperation::sync, .code = SQLITE_IOERR_FSYNC});
  EXPECT_EQ(ask(frame(1, 1))->intake_trouble, StorageTrouble::failing);
  twin.fail({.operation = StorageOperation::write,
             .code = SQLITE_IOERR_WRITE,
             .error = ENOSPC,
             .path_end = "-wal"});
  EXPECT_EQ(ask(frame(1, 1))->intake_trouble, StorageTrouble::full);
  EXPECT_FALSE(ask(frame(1, 1))->intake_trouble);
}

TEST_F(StorageRoomTest, RoomThatComesAndGoesMakesOneLineInTenSeconds) {
  settings.free_bytes_min = 100U << 20U;
  open();
  std::uint64_t sequence = 0;
  for (int i = 0; i < 60; ++i) {
    twin.set_bytes_max(UINT64_MAX - (i % 2 == 0 ? twin.free_bytes() : 0));
    ++sequence;
    EXPECT_EQ(ask(frame(sequence, sequence))->intake_trouble.has_value(), i % 2 == 0);
    clock.advance(std::chrono::seconds(1));
  }
  EXPECT_LE(log.count("too little room") + log.count("has room again"), 7);
  twin.set_bytes_max(UINT64_MAX);
  clock.advance(std::chrono::seconds(10));
  EXPECT_FALSE(ask(frame(1000, 1000))->intake_trouble);
  EXPECT_EQ(log.count("too little room"), log.count("has room again"));
}

TEST_F(StorageRoomTest, AFullDiskOpensByItsReserve) {
  open();
  ask(frame(1, 1));
  agent.reset();
  // Of the shared memory, after a clean stop.
  twin.fail({.operation = StorageOperation::shm_map, .code = SQLITE_IOERR_SHMSIZE});
  leave_free(0);
  open();
  EXPECT_LT(reserve_bytes(twin, spool_path), StoreKeeper::reserve_bytes_min);
  const Block block = read_all().at(0);
  Question question;
  question.settlements.push_back(whole(block));
  EXPECT_FALSE(ask(std::move(question))->has_failed);
  EXPECT_TRUE(waiting().empty());
}

// Otherwise what is new takes the room that makes room, and nothing is settled any more.
TEST_F(StorageRoomTest, WhatIsNewNeverTakesTheReserve) {
  // The log has its length already: what goes into it needs room only when it leaves it.
  settings.log_bytes = 8U << 20U;
  open();
  leave_free(3U << 20U);
  std::uint64_t number = 0;
  for (int refused = 0; refused < 20;) {
    Question question;
    for (int i = 0; i < 500; ++i) question.spilled.push_back(add_bytes(question, 0, ++number));
    refused += ask(std::move(question))->intake_trouble ? 1 : 0;
    clock.advance(2s);
  }
  EXPECT_EQ(reserve_bytes(twin, spool_path), settings.log_bytes);
  // All at once: as after an outage of the disk.
  Question settle;
  for (const Block& block : read_all()) settle.settlements.push_back(whole(block));
  ASSERT_FALSE(settle.settlements.empty());
  EXPECT_FALSE(ask(std::move(settle))->has_failed);
  EXPECT_TRUE(waiting().empty());
  clock.advance(2s);
  EXPECT_FALSE(ask(frame(1, 1))->intake_trouble);
}

TEST_F(StorageRoomTest, WhatIsSettledTakesNoMoreOfTheLogThanItNeeds) {
  open();
  store_blocks(20);
  ASSERT_TRUE(agent != nullptr);
  const std::uint64_t stored_bytes = twin.file_bytes(wal_path(spool_path));
  Question settle;
  for (const Block& block : read_all()) settle.settlements.push_back(whole(block));
  agent.reset();
  open();
  ASSERT_FALSE(ask(std::move(settle))->has_failed);
  EXPECT_LT(twin.file_bytes(wal_path(spool_path)), stored_bytes / 4) << "no zeroes are written";
}

TEST_F(StorageRoomTest, AStopLeavesAReserveToTheNextStart) {
  open();
  ask(frame(1, 1));
  twin.remove(reserve_path(spool_path));
  // As much as a log that goes with the last connection.
  leave_free(StoreKeeper::reserve_bytes_min);
  agent.reset();
  EXPECT_TRUE(twin.exists(reserve_path(spool_path)));
}

TEST_F(StorageRoomTest, WhatWasSetAsideLongAgoIsRemoved) {
  settings.dead.age_max = std::chrono::hours(24);
  open();
  for (const std::uint64_t hours_old : {25U, 22U}) {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    const std::uint64_t noted_ns = clock.now().wall_ns() - hours_old * 3'600'000'000'000;
    database.execute("INSERT INTO damaged(destination, noted_ns, data) VALUES(1," +
                     std::to_string(noted_ns) + ", x'00')");
  }
  agent.reset();
  open();
  agent->do_work(clock.now());
  Database database(spool_path, OpenMode::read_write, twin.vfs_name());
  EXPECT_EQ(database.number("SELECT count(*) FROM damaged"), 2) << "the clock may be wrong";
  clock.advance(StoreKeeper::steady_min);
  agent->do_work(clock.now());
  EXPECT_EQ(database.number("SELECT count(*) FROM damaged"), 1);
  EXPECT_EQ(log.count("damaged blocks that were set aside long ago were removed"), 1);
}

TEST_F(StorageRoomTest, TheReserveHoldsAllThatALogAtItsLengthMayHave) {
  settings.log_bytes = 8U << 20U;
  open();
  const std::string log_name = wal_path(spool_path);
  while (twin.file_bytes(log_name) < settings.log_bytes) store_blocks(1);
  EXPECT_LT(twin.file_bytes(spool_path), 1U << 20U) << "all is in the log";
  leave_free(0);
  crash();
  open();
  // Each of these takes some pages of the log, together more than there are.
  for (const Block& block : read_all()) {
    Settlement one{block.id, 0, 1, 0, false, Bytes((block.events + 7) / 8)};
    const std::uint8_t* record = block.records.data();
    for (std::uint32_t i = 0; i < 20; ++i, record += one.bytes) {
      one.bytes = record_bytes_at(record);
      one.settled[i / 8] |= static_cast<std::uint8_t>(1U << (i % 8));
      Question question;
      question.settlements.push_back(one);
      ASSERT_FALSE(ask(std::move(question))->has_failed) << "event " << i << " of " << block.id;
    }
  }
  EXPECT_LT(reserve_bytes(twin, spool_path), settings.log_bytes) << "there was no room but this";
}

TEST_F(StorageRoomTest, TheLogIsNotMadeLongWhereThereIsNoRoomForIt) {
  settings.log_bytes = 8U << 20U;
  leave_free(12U << 20U);
  open();
  EXPECT_TRUE(twin.exists(reserve_path(spool_path)));
  EXPECT_LT(twin.content(std::string(spool_path) + "-wal").size(), 1'000'000U);
}

TEST_F(StorageRoomTest, WhatIsSettledDoesNotWaitBehindWhatIsDue) {
  open();
  const Block old = ask(frame(1, 1))->lanes.at(0).stored.at(0);
  Question later;
  add_frame(later, 1, 2, 2, clock.now().wall_ns() + 1'000'000'000);
  ask(std::move(later));
  clock.advance(2s);
  // So often that the log has begun again, and what is due has had its part of the reserve.
  twin.fail(
      {.operation = StorageOperation::write, .code = SQLITE_FULL, .times = 4, .path_end = "-wal"});
  Question question;
  question.settlements.push_back(whole(old));
  EXPECT_FALSE(ask(std::move(question))->has_failed);
  EXPECT_TRUE(waiting().empty());
}

TEST_F(StorageRoomTest, DeadLettersThatHousekeepingRemovesAreSaid) {
  open();
  for (int i = 0; i < 5; ++i) {
    Question question;
    question.dead.push_back(dead_letter(clock.now()));
    ask(std::move(question));
  }
  agent.reset();
  settings.dead.events_max = 2;
  open();
  agent->do_work(clock.now());
  EXPECT_EQ(tables()["audit"].dead.size(), 2U);
  EXPECT_EQ(log.count("the oldest dead letters were removed"), 1);
}

TEST_F(StorageRoomTest, NothingBecomesADeadLetterAndIsRemovedInOneStep) {
  settings.dead.events_max = 2;
  open();
  agent->do_work(clock.now());
  const auto bury = [&](int letters) {
    Question question;
    for (; letters > 0; --letters) question.dead.push_back(dead_letter(clock.now()));
    return ask(std::move(question))->dead_trimmed;
  };
  EXPECT_EQ(bury(5), 0U);
  EXPECT_EQ(tables()["audit"].dead.size(), 5U) << "somebody may see each of them";
  EXPECT_EQ(bury(1), 3U);
  EXPECT_EQ(tables()["audit"].dead.size(), 3U);
}

TEST_F(StorageRoomTest, NoExceptionLeavesATurn) {
  open();
  Question question = frame(1, 1);
  question.settlements.push_back({1, 99, 1, 1, true, {}});  // of no lane
  EXPECT_TRUE(ask(std::move(question))->has_failed);
  EXPECT_TRUE(waiting().empty());
  EXPECT_TRUE(ask(frame(1, 1))->frames[0].is_new);
}

TEST_F(StorageRoomTest, BytesMaxBoundsTheFileWithSmallEventsToo) {
  settings.bytes_max = 1U << 20U;
  open();
  std::optional<StorageTrouble> trouble;
  for (int i = 0; i < 500 && !trouble; ++i) {
    clock.advance(100ms);
    trouble = ask(spill(Numbers64(100, 1)))->intake_trouble;
  }
  EXPECT_EQ(trouble, StorageTrouble::at_limit);
  EXPECT_EQ(log.count("the spool's file has reached its size limit"), 1);
  agent.reset();
  EXPECT_LE(twin.file_bytes(spool_path), settings.bytes_max + 350'000);
  open();
  settle_all();
  clock.advance(2s);
  EXPECT_FALSE(ask(frame(1, 1))->intake_trouble);
}

TEST_F(StorageRoomTest, BytesMaxBoundsWhatIsThereForDestinationsOfOldToo) {
  settings.lanes = {"audit", "gone"};
  open();
  for (int i = 0; i < 6; ++i) ask(spill(Numbers64(2000, 1), 1));
  agent.reset();
  settings.lanes = {"audit"};
  settings.bytes_max = 300'000;
  open();
  EXPECT_EQ(ask(frame(1, 1))->intake_trouble, StorageTrouble::at_limit);
}

TEST_F(StorageRoomTest, DeadLettersTakeNothingOfBytesMax) {
  settings.bytes_max = 1U << 20U;
  settings.dead.events_max = 20'000;
  open();
  for (int i = 0; i < 20; ++i) {
    Question question;
    question.dead.assign(1000, dead_letter(clock.now()));
    ASSERT_FALSE(ask(std::move(question))->has_failed);
  }
  clock.advance(2s);
  EXPECT_FALSE(ask(frame(1, 1))->intake_trouble) << "only a person can make room among them";
}

TEST_F(StorageRoomTest, ClientsTakeNothingOfBytesMax) {
  settings.bytes_max = 1U << 20U;
  open();
  for (std::uint32_t client = 1; client <= 4000; ++client) {
    Question question = frame(1, client);
    std::memcpy(question.frames[0].client.data(), &client, sizeof client);
    ASSERT_FALSE(ask(std::move(question))->intake_trouble) << client;
    if (client % 500 != 0) continue;
    settle_all();
    clock.advance(2s);
  }
}

TEST_F(StorageRoomTest, BlocksThatWereSetAsideTakeNothingOfBytesMax) {
  settings.bytes_max = 1U << 20U;
  open();
  agent.reset();
  {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    for (int i = 0; i < 100; ++i) {
      database.execute(
          "INSERT INTO damaged(destination, noted_ns, data) VALUES(1, 1, randomblob(50000))");
    }
  }
  open();
  EXPECT_FALSE(ask(frame(1, 1))->intake_trouble);
}

// What others do to the files -------------------------------------------------------------------

const std::string log_name = std::string(spool_path) + "-wal";

TEST_F(StorageRoomTest, AReaderCostsNoTimeAtAStart) {
  open();
  ask(frame(1, 1));
  Database reader(spool_path, OpenMode::read_write, twin.vfs_name());
  reader.execute("BEGIN");
  reader.number("SELECT count(*) FROM block");
  agent.reset();
  open();
  EXPECT_FALSE(ask(frame(2, 2))->intake_trouble) << "it is stored while somebody reads";
  EXPECT_EQ(reader.number("SELECT count(*) FROM block"), 1);
  EXPECT_EQ(log.count("cannot be written"), 0);
}

TEST_F(StorageRoomTest, WhatIsPromisedWhileSomebodyReadsIsNotBehindAGap) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::uint64_t first = seed * 10;
    open();
    const Block old = ask(frame(first, 1))->lanes.at(0).stored.at(0);
    auto reader = std::make_unique<Database>(spool_path, OpenMode::read_write, twin.vfs_name());
    reader->execute("BEGIN");
    reader->number("SELECT count(*) FROM block");
    Question settled;
    settled.settlements.push_back(whole(old));
    ask(std::move(settled));  // committed, not synced
    twin.fail({.operation = StorageOperation::sync, .code = SQLITE_IOERR_FSYNC});
    EXPECT_TRUE(ask(frame(first + 1, 2))->intake_trouble);
    const auto answer = ask(frame(first + 1, 2));
    ASSERT_EQ(answer->intake_trouble, std::nullopt);
    crash(test::StorageCrash::power);
    reader.reset();
    open();
    ASSERT_FALSE(ask(frame(first + 1, 2))->frames[0].is_new)
        << "it was confirmed and is gone, seed " << seed;
    agent.reset();
  }
}

TEST_F(StorageRoomTest, TheLogIsShortAgainWhenAReaderHasEnded) {
  open();
  auto reader = std::make_unique<Database>(spool_path, OpenMode::read_write, twin.vfs_name());
  reader->execute("BEGIN");
  reader->number("SELECT count(*) FROM block");
  store_blocks(160);
  const std::uint64_t peak = twin.file_bytes(log_name);
  ASSERT_GT(peak, StoreKeeper::log_bytes);
  clock.advance(2s);
  agent->do_work(clock.now());
  EXPECT_EQ(twin.file_bytes(log_name), peak) << "it is read";
  EXPECT_LE(agent->next_deadline(), clock.now().mono + 1s);
  reader.reset();
  clock.advance(2s);
  agent->do_work(clock.now());
  EXPECT_LE(twin.file_bytes(log_name), StoreKeeper::log_bytes);
  EXPECT_EQ(waiting().size(), 160U * 2000U);
}

TEST_F(StorageRoomTest, BytesMaxBoundsALogThatSomebodyReads) {
  settings.bytes_max = 2U << 20U;
  open();
  auto reader = std::make_unique<Database>(spool_path, OpenMode::read_write, twin.vfs_name());
  reader->execute("BEGIN");
  reader->number("SELECT count(*) FROM block");
  std::optional<StorageTrouble> trouble;
  for (int i = 0; i < 400 && !trouble; ++i) {
    clock.advance(100ms);
    trouble = ask(spill(Numbers64(2000, 1)))->intake_trouble;
    settle_all();
  }
  EXPECT_EQ(trouble, StorageTrouble::at_limit) << "though hardly an event is there";
  EXPECT_GT(twin.file_bytes(log_name), StoreKeeper::log_bytes);
  EXPECT_LT(twin.file_bytes(log_name), StoreKeeper::log_bytes + settings.bytes_max + 2'000'000);
  reader.reset();
  for (int i = 0; i < 2; ++i) {
    clock.advance(2s);
    agent->do_work(clock.now());
  }
  EXPECT_FALSE(ask(frame(1, 1))->intake_trouble);
}

TEST_F(StorageRoomTest, WaitsInMemoryForAnotherProgramsLock) {
  open();
  Database other(spool_path, OpenMode::read_write, twin.vfs_name());
  other.execute("BEGIN IMMEDIATE");
  exchange.ask(std::make_unique<Question>(spill({1, 2})));
  for (int i = 0; i < 60; ++i) {
    agent->do_work(clock.now());
    EXPECT_LE(agent->next_deadline(), clock.now().mono + 200ms);
    clock.advance(200ms);
    ASSERT_TRUE(exchange.collect().empty());
  }
  EXPECT_EQ(log.count("the spool cannot be written"), 1);
  other.execute("ROLLBACK");
  agent->do_work(clock.now());
  const auto answers = exchange.collect();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_FALSE(answers[0]->intake_trouble);
  EXPECT_EQ(waiting(), (Numbers64{1, 2}));
}

TEST_F(StorageRoomTest, NothingIsPromisedInFilesThatTheNextStartDoesNotFind) {
  for (const std::string& name : {std::string(spool_path), log_name}) {
    open();
    const Block old = ask(frame(1, 1))->lanes.at(0).stored.at(0);
    twin.remove(name);
    auto answer = ask(frame(2, 2));
    EXPECT_EQ(answer->intake_trouble, StorageTrouble::failing);
    EXPECT_FALSE(answer->has_failed);
    twin.put(name, std::string(8192, 'x'));
    EXPECT_TRUE(ask(frame(2, 2))->intake_trouble) << "another file";
    Question question;
    question.settlements.push_back(whole(old));
    EXPECT_FALSE(ask(std::move(question))->has_failed) << "what is there goes on being sent";
    EXPECT_EQ(log.count("the spool cannot be written"), 1);
    agent.reset();
    for (const std::string& path : twin.list()) twin.remove(path);
    log.lines.clear();
  }
}

TEST_F(StorageRoomTest, NothingIsPromisedInALogThatWasDeletedBeforeTheFirstPromise) {
  open();
  twin.remove(log_name);
  EXPECT_EQ(ask(frame(1, 1))->intake_trouble, StorageTrouble::failing);
}

TEST_F(StorageRoomTest, NothingIsPromisedInADatabaseThatWasEmptiedInItsPlace) {
  open();
  ask(frame(1, 1));
  const auto file = twin.file_id(spool_path);
  twin.put(spool_path, "");
  ASSERT_EQ(twin.file_id(spool_path), file);
  const auto answer = ask(frame(2, 2));
  EXPECT_EQ(answer->intake_trouble, StorageTrouble::failing);
  EXPECT_FALSE(answer->has_failed);
  EXPECT_EQ(log.count("emptied while they were in use"), 1);
  crash();
  open();
  EXPECT_TRUE(ask(frame(2, 2))->frames.at(0).is_new);
  EXPECT_EQ(waiting(), (Numbers64{1, 2})) << "the log had the first";
}

TEST_F(StorageRoomTest, TheLogOfADatabaseThatWasEmptiedIsNotMovedIntoIt) {
  for (const bool is_deleted : {false, true}) {
    open();
    ask(frame(1, 1));
    if (is_deleted) {
      twin.remove(spool_path);
    } else {
      twin.put(spool_path, "");
    }
    for (int i = 0; i < 10; ++i) {
      ask(Question{});
      clock.advance(1min);
    }
    EXPECT_EQ(twin.file_bytes(spool_path), 0U);
    agent.reset();  // a stop, after which SQLite removes the log as a rule
    open();
    EXPECT_EQ(waiting(), (Numbers64{1})) << "the log had it";
    EXPECT_EQ(log.count("the spool is damaged"), 1);
    agent.reset();
    for (const std::string& path : twin.list()) twin.remove(path);
    log.lines.clear();
  }
}

TEST_F(StorageRoomTest, AnEmptyDatabaseBesideALogIsDamageAndTheLogIsRead) {
  open();
  ask(frame(1, 1));
  ask(spill({2, 3}));
  crash();
  twin.put(spool_path, "");
  open();
  EXPECT_EQ(waiting(), (Numbers64{1, 2, 3})) << "the log has all of it";
  EXPECT_EQ(log.count("the spool is damaged"), 1);
  EXPECT_EQ(log.count("a new spool was created"), 1) << "the first";
}

TEST_F(StorageRoomTest, ACrashAtAnyPointOfMendingAnEmptiedDatabaseLosesNothing) {
  open();
  ask(frame(1, 1));
  ask(spill({2, 3}));
  crash();
  const std::string content = twin.content(log_name);
  bool has_crashed = true;
  for (std::uint64_t nth = 1; has_crashed; ++nth) {
    for (const std::string& path : twin.list()) twin.remove(path);
    twin.put(spool_path, "");
    twin.put(log_name, content);
    twin.crash_at(nth, test::StorageCrash::process);
    const bool is_open = try_open().ok();  // and closed again
    has_crashed = twin.is_down();
    EXPECT_TRUE(is_open || has_crashed);
    twin.crash_at(UINT64_MAX / 2, test::StorageCrash::process);
    twin.restart();
    open();
    ASSERT_EQ(waiting(), (Numbers64{1, 2, 3})) << "crash at change " << nth;
    agent.reset();
    ASSERT_LT(nth, 2000U);
  }
}

}  // namespace
}  // namespace outrider::sidecar
