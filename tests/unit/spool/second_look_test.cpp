// What is damage and what is not: reads that fail for a moment, first pages with a wrong bit, files
// that are not those which were opened.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::StorageFault;
using test::StorageOperation;

class SecondLookTest : public SpoolFixture {
 protected:
  SecondLookTest() {
    open();
    for (std::uint64_t number = 1; number <= 300; ++number) {
      ask(spill({number}));
      all_.push_back(number);
    }
  }

  void fail_reads(std::uint64_t times) {
    // As SQLite's own VFS says it of EIO.
    twin.fail({.operation = StorageOperation::read,
               .code = SQLITE_IOERR_CORRUPTFS,
               .times = times,
               .error = EIO,
               .path_end = ".db"});
  }

  std::optional<ReadAnswer> read() {
    Question group;
    group.reads.push_back({0, INT64_MIN, 1U << 20U});
    return ask(std::move(group))->lanes.at(0).read;
  }

  std::size_t set_aside() {
    std::size_t found = 0;
    for (const std::string& path : twin.list()) found += path.find(".damaged-") != path.npos;
    return found;
  }

  Numbers64 all_;
};

TEST_F(SecondLookTest, ReadsThatFailForAMomentAtAStartAreNoDamage) {
  agent.reset();
  for (std::uint64_t times = 1; times <= 8; ++times) {
    fail_reads(times);
    // Of some reads SQLite says itself that they failed: then the next start tries again.
    while (!try_open().ok()) {
    }
    twin.clear_faults();
    open();
    EXPECT_EQ(agent->state().lanes.at(0).events, all_.size());
    EXPECT_EQ(waiting(), all_);
    agent.reset();
  }
  EXPECT_EQ(log.count("the spool is damaged"), 0);
  EXPECT_EQ(set_aside(), 0U);
}

TEST_F(SecondLookTest, ReadsThatFailForAMomentWhileItRunsAreNoDamage) {
  agent.reset();
  open();
  fail_reads(StorageFault::forever);
  for (int i = 0; i < 10; ++i) {
    const auto answer = read();
    EXPECT_TRUE(answer && answer->has_failed);
    clock.advance(900ms);
  }
  EXPECT_EQ(log.count("the spool is damaged"), 0);
  twin.clear_faults();
  const auto answer = read();
  ASSERT_TRUE(answer && !answer->has_failed);
  EXPECT_EQ(answer->blocks.size(), all_.size());
  EXPECT_EQ(set_aside(), 0U);
  // One that passed is no part of the next.
  clock.advance(1min);
  agent.reset();
  open();
  fail_reads(1);
  read();
  EXPECT_EQ(log.count("the spool is damaged"), 0);
}

TEST_F(SecondLookTest, DamageIsOnlyWhatIsThereAfterAFreshOpening) {
  agent.reset();
  open();
  twin.fail({.operation = StorageOperation::read, .code = SQLITE_CORRUPT, .path_end = ".db"});
  const auto answer = read();
  ASSERT_TRUE(answer && !answer->has_failed);
  EXPECT_EQ(answer->blocks.size(), all_.size());
  EXPECT_EQ(log.count("the spool is damaged"), 0);
  EXPECT_EQ(set_aside(), 0U);
}

TEST_F(SecondLookTest, ACopyThatTheSystemCannotReadBeginsNoEmptySpool) {
  agent.reset();
  twin.flip_bit(spool_path, twin.content(spool_path).find("CREATE TABLE client") + 3, 0);
  fail_reads(40);
  while (!try_open().ok()) {
  }
  twin.clear_faults();
  open();
  EXPECT_EQ(waiting(), all_);
  EXPECT_EQ(log.count("the new spool is empty"), 0);
}

TEST_F(SecondLookTest, AWrongBitInTheTextOfTheTablesIsDamage) {
  agent.reset();
  const std::string content = twin.content(spool_path);
  const std::size_t text = content.find("records BLOB NOT NULL");
  ASSERT_NE(text, std::string::npos);
  for (const std::size_t at : {text, text + 10, content.find("crc INTEGER"), text - 20}) {
    for (const std::string& path : twin.list()) twin.remove(path);
    twin.put(spool_path, content);
    twin.flip_bit(spool_path, at, 0);
    open();
    const auto answer = read();
    EXPECT_EQ(answer->damaged.events, 0U);
    EXPECT_EQ(waiting(), all_);
    EXPECT_EQ(set_aside(), 1U) << at;
    agent.reset();
  }
}

TEST_F(SecondLookTest, AVersionWithOneWrongBitIsDamage) {
  agent.reset();
  const std::string content = twin.content(spool_path);
  constexpr std::size_t format_at = 47;
  constexpr std::size_t version_at = 63;
  for (const std::size_t at : {format_at, version_at}) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      for (const std::string& path : twin.list()) twin.remove(path);
      twin.put(spool_path, content);
      twin.flip_bit(spool_path, at, bit);
      open();
      EXPECT_EQ(waiting(), all_) << at << " bit " << bit;
      agent.reset();
    }
  }
  // With other tables it is one.
  for (const std::string& path : twin.list()) twin.remove(path);
  twin.put(spool_path, content);
  {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    database.execute("CREATE TABLE newer(id INTEGER); PRAGMA user_version=3");
  }
  const auto opened = try_open();
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("has version 3"), std::string::npos);
  EXPECT_EQ(set_aside(), 0U);
}

TEST_F(SecondLookTest, WhatSqliteDoesNotTakeIsNotStoredAsNothing) {
  Database database(":memory:", OpenMode::create);
  database.execute("CREATE TABLE t(data BLOB)");
  Statement insert(database, "INSERT INTO t VALUES(?)");
  const std::uint8_t byte = 0;
  EXPECT_THROW(insert.bind(1, proto::ByteView(&byte, Database::row_bytes_max + 1)), SqliteError);
  EXPECT_LT(Store::record_bytes_max, Database::row_bytes_max);
}

TEST_F(SecondLookTest, OnAFullDiskWhatIsDueHasOfTheReserve) {
  const std::uint64_t due_ns = clock.now().wall_ns() + 10'000'000'000;
  Question group;
  for (std::uint64_t number = 1000; number < 1300; ++number) {
    group.spilled.push_back(add_bytes(group, 0, number, due_ns));
  }
  ask(std::move(group));
  agent.reset();
  open();
  twin.set_bytes_max(UINT64_MAX - twin.free_bytes());
  clock.advance(11s);
  std::uint64_t released = 0;
  for (int i = 0; i < 20; ++i) {
    agent->do_work(clock.now());
    for (const auto& answer : exchange.collect()) {
      for (const auto& [lane, of] : answer->lanes) released += of.released.events;
    }
    clock.advance(300ms);
  }
  EXPECT_EQ(released, 300U);
  EXPECT_GE(reserve_bytes(twin, spool_path), StoreKeeper::reserve_bytes_min / 2)
      << "the rest is for what makes room";
}

TEST(FileMarkTest, AFileOfAnotherFileSystemIsAnotherOne) {
  const FileMark file{7, 100, 1};
  EXPECT_TRUE(is_same_file(file, FileMark{7, 200, 1}));
  EXPECT_FALSE(is_same_file(file, FileMark{7, 100, 2}));
  EXPECT_FALSE(is_same_file(file, std::nullopt));
  EXPECT_TRUE(is_same_file(std::nullopt, std::nullopt));
}

}  // namespace
}  // namespace outrider::sidecar
