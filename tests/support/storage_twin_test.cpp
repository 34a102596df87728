#include "support/storage_twin.hpp"

#include <algorithm>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "support/twin_database.hpp"

namespace outrider::test {
namespace {

constexpr const char* wal_path = "/spool/outrider.db-wal";

TEST(StorageTwin, HoldsAWalDatabase) {
  StorageTwin twin;
  TwinDatabase db(twin);
  ASSERT_EQ(db.code(), SQLITE_OK);
  EXPECT_EQ(db.text("PRAGMA journal_mode"), "wal");
  for (int id = 1; id <= 3000; ++id) ASSERT_EQ(db.insert(id), SQLITE_OK);
  EXPECT_EQ(db.rows(), "3000");
  EXPECT_EQ(db.check(), "ok");
  EXPECT_TRUE(twin.exists(wal_path));
  EXPECT_GT(twin.count(StorageOperation::sync), 3000u);
}

TEST(StorageTwin, IsSharedByTwoConnections) {
  StorageTwin twin;
  {
    TwinDatabase writer(twin);
    auto reader = std::make_unique<TwinDatabase>(twin);
    ASSERT_EQ(writer.insert(1), SQLITE_OK);
    ASSERT_EQ(reader->run("BEGIN"), SQLITE_OK);
    EXPECT_EQ(reader->rows(), "1");
    ASSERT_EQ(writer.run("BEGIN IMMEDIATE"), SQLITE_OK);
    EXPECT_EQ(reader->insert(9) & 0xff, SQLITE_BUSY);
    ASSERT_EQ(writer.insert(2), SQLITE_OK);
    ASSERT_EQ(writer.run("COMMIT"), SQLITE_OK);
    EXPECT_EQ(reader->rows(), "1") << "a read transaction keeps its snapshot";
    ASSERT_EQ(reader->run("COMMIT"), SQLITE_OK);
    EXPECT_EQ(reader->rows(), "2");
    reader.reset();
    EXPECT_TRUE(twin.exists(wal_path)) << "the other connection still uses it";
    EXPECT_EQ(writer.insert(3), SQLITE_OK);
  }
  EXPECT_FALSE(twin.exists(wal_path)) << "the last connection takes it away";
  EXPECT_EQ(TwinDatabase(twin).rows(), "3");
}

TEST(StorageTwin, GivesTheSameBytesForTheSameSeed) {
  std::string images[2];
  for (std::string& image : images) {
    StorageTwin twin(7);
    TwinDatabase db(twin);
    for (int id = 1; id <= 50; ++id) db.insert(id);
    twin.crash_at(5, StorageCrash::power);
    for (int id = 51; id <= 60; ++id) db.insert(id);
    ASSERT_TRUE(twin.is_down());
    for (const std::string& path : twin.list()) image += path + twin.content(path);
  }
  EXPECT_EQ(images[0], images[1]);
}

struct CommitFault {
  const char* name;
  StorageFault fault;
};

void PrintTo(const CommitFault& fault, std::ostream* out) {
  *out << fault.name;
}

class StorageTwinCommit : public testing::TestWithParam<CommitFault> {};

TEST_P(StorageTwinCommit, IsRolledBackAndTheNextOneWorks) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    StorageTwin twin(seed);
    auto db = std::make_unique<TwinDatabase>(twin);
    for (int id = 1; id <= 10; ++id) ASSERT_EQ(db->insert(id), SQLITE_OK);
    StorageFault fault = GetParam().fault;
    fault.path_end = "-wal";
    twin.fail(fault);
    ASSERT_EQ(db->run("BEGIN"), SQLITE_OK);
    for (int id = 11; id <= 15; ++id) ASSERT_EQ(db->insert(id), SQLITE_OK);
    EXPECT_EQ(db->run("COMMIT"), fault.code);
    db->run("ROLLBACK");
    EXPECT_EQ(db->rows(), "10");
    twin.clear_faults();
    EXPECT_EQ(db->insert(20), SQLITE_OK);
    twin.lose_power();
    db.reset();
    twin.restart();
    TwinDatabase again(twin);
    EXPECT_EQ(again.check(), "ok");
    EXPECT_EQ(again.text("SELECT group_concat(id) FROM row"), "1,2,3,4,5,6,7,8,9,10,20");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Faults, StorageTwinCommit,
    testing::Values(
        CommitFault{"full", {StorageOperation::write, SQLITE_FULL}},
        CommitFault{"full_later", {StorageOperation::write, SQLITE_FULL, 4}},
        CommitFault{"write", {StorageOperation::write, SQLITE_IOERR_WRITE, 3}},
        CommitFault{"write_torn", {StorageOperation::write, SQLITE_IOERR_WRITE, 4, 1, true}},
        CommitFault{"write_for_long",
                    {StorageOperation::write, SQLITE_IOERR_WRITE, 2, StorageFault::forever}},
        CommitFault{"sync", {StorageOperation::sync, SQLITE_IOERR_FSYNC}}),
    [](const auto& param) { return param.param.name; });

TEST(StorageTwin, FailsTheNthOperationAsOftenAsItIsTold) {
  StorageTwin twin;
  twin.put("/a", "a");
  twin.put("/b", "b");
  twin.fail({StorageOperation::remove, SQLITE_IOERR_DELETE, 2, 2, 0, false, "/a"});
  EXPECT_EQ(twin.remove("/b"), SQLITE_OK) << "another path does not count";
  EXPECT_EQ(twin.remove("/a"), SQLITE_OK);
  twin.put("/a", "a");
  EXPECT_EQ(twin.remove("/a"), SQLITE_IOERR_DELETE);
  EXPECT_EQ(twin.remove("/a"), SQLITE_IOERR_DELETE);
  EXPECT_TRUE(twin.exists("/a"));
  EXPECT_EQ(twin.remove("/a"), SQLITE_OK);
  EXPECT_EQ(twin.remove("/a"), SQLITE_IOERR_DELETE_NOENT);
  EXPECT_EQ(twin.count(StorageOperation::remove), 6u);
  EXPECT_EQ(twin.changes(), 6u);
}

/// By how many bytes the WAL grows when the second write of a commit, that of a page, is disturbed.
template <typename Disturb>
std::set<std::size_t> growths_of_wal(Disturb disturb) {
  std::set<std::size_t> growths;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    StorageTwin twin(seed);
    TwinDatabase db(twin);
    db.insert(1);
    const std::size_t before = twin.content(wal_path).size();
    disturb(twin);
    EXPECT_NE(db.insert(2), SQLITE_OK);
    growths.insert(twin.content(wal_path).size() - before);
  }
  return growths;
}

TEST(StorageTwin, DoesAFirstPartOfATornWrite) {
  constexpr std::size_t frame_header = 24;
  constexpr std::size_t page = 4096;
  EXPECT_EQ(growths_of_wal([](StorageTwin& twin) {
              twin.fail({StorageOperation::write, SQLITE_IOERR_WRITE, 2, 1, 0, false, "-wal"});
            }),
            std::set<std::size_t>{frame_header});
  const auto by_fault = growths_of_wal([](StorageTwin& twin) {
    twin.fail({StorageOperation::write, SQLITE_IOERR_WRITE, 2, 1, 0, true, "-wal"});
  });
  const auto by_crash =
      growths_of_wal([](StorageTwin& twin) { twin.crash_at(2, StorageCrash::process); });
  for (const auto& growths : {by_fault, by_crash}) {
    EXPECT_GT(growths.size(), 10u);
    EXPECT_GE(*growths.begin(), frame_header);
    EXPECT_LT(*growths.rbegin(), frame_header + page);
  }
}

TEST(StorageTwin, FailsToOpenToMapAndToRead) {
  StorageTwin twin;
  {
    TwinDatabase db(twin);
    for (int id = 1; id <= 10; ++id) db.insert(id);
  }
  twin.fail({StorageOperation::open, SQLITE_CANTOPEN});
  EXPECT_EQ(TwinDatabase(twin).code(), SQLITE_CANTOPEN);
  twin.fail({StorageOperation::shm_map, SQLITE_IOERR_SHMMAP});
  EXPECT_EQ(TwinDatabase(twin).code(), SQLITE_IOERR_SHMMAP);
  twin.fail({StorageOperation::read, SQLITE_IOERR_READ, 1, StorageFault::forever});
  EXPECT_EQ(TwinDatabase(twin).code() & 0xff, SQLITE_IOERR);
  twin.clear_faults();
  TwinDatabase db(twin);
  EXPECT_EQ(db.check(), "ok");
  twin.fail({StorageOperation::truncate, SQLITE_IOERR_TRUNCATE});
  EXPECT_EQ(db.run("DELETE FROM row; PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_IOERR_TRUNCATE);
  EXPECT_EQ(db.rows(), "0");
}

TEST(StorageTwin, AShortReadGivesAFirstPartAndZeroes) {
  StorageTwin twin;
  twin.put("/spool/file", std::string(100, 'a'));
  sqlite3_vfs* const vfs = sqlite3_vfs_find(twin.vfs_name().c_str());
  std::vector<char> space(static_cast<std::size_t>(vfs->szOsFile));
  auto* const file = reinterpret_cast<sqlite3_file*>(space.data());
  ASSERT_EQ(vfs->xOpen(vfs, "/spool/file", file, SQLITE_OPEN_READWRITE, nullptr), SQLITE_OK);
  twin.fail({.operation = StorageOperation::read, .code = SQLITE_IOERR_SHORT_READ});
  std::string bytes(100, 'x');
  EXPECT_EQ(file->pMethods->xRead(file, bytes.data(), 100, 0), SQLITE_IOERR_SHORT_READ);
  const std::size_t there = std::min(bytes.find_first_not_of('a'), bytes.size());
  EXPECT_LT(there, 100U);
  EXPECT_EQ(bytes.substr(there), std::string(100 - there, '\0'));
  EXPECT_EQ(file->pMethods->xRead(file, bytes.data(), 100, 0), SQLITE_OK);
  EXPECT_EQ(bytes, std::string(100, 'a'));
  file->pMethods->xClose(file);
}

TEST(StorageTwin, MakesAFileAndWritesItsStartOrNot) {
  StorageTwin twin;
  const std::string bytes = "0123456789";
  for (std::uint64_t nth = 1; nth <= 3; ++nth) {
    const std::string path = "/spool/file" + std::to_string(nth);
    twin.crash_at(nth, StorageCrash::power);
    const bool is_done = twin.make(path) == SQLITE_OK && twin.write_start(path, bytes) == SQLITE_OK;
    EXPECT_FALSE(is_done) << "each of its three changes may be the last";
    EXPECT_TRUE(twin.is_down());
    EXPECT_NE(twin.write_start(path, bytes), SQLITE_OK);
    twin.restart();
    EXPECT_TRUE(nth == 1 || twin.exists(path)) << "its name was safe";
  }
  twin.fail({.operation = StorageOperation::sync, .code = SQLITE_FULL, .path_end = "other"});
  EXPECT_EQ(twin.make("/spool/other"), SQLITE_FULL);
  EXPECT_EQ(twin.make("/spool/other"), SQLITE_OK);
  twin.fail({.operation = StorageOperation::write, .code = SQLITE_FULL, .is_torn = true});
  EXPECT_EQ(twin.write_start("/spool/other", bytes), SQLITE_FULL);
  EXPECT_TRUE(bytes.starts_with(twin.content("/spool/other")));
  EXPECT_EQ(twin.write_start("/spool/other", bytes), SQLITE_OK);
  EXPECT_EQ(twin.content("/spool/other"), bytes);
  EXPECT_EQ(twin.write_start("/spool/none", bytes), SQLITE_CANTOPEN);
}

TEST(StorageTwin, IsFullUntilThereIsSpaceAgain) {
  StorageTwin twin;
  TwinDatabase db(twin);
  twin.set_bytes_max(100'000);
  int id = 0;
  int code = SQLITE_OK;
  while (code == SQLITE_OK && id < 1000) code = db.insert(++id);
  EXPECT_EQ(code, SQLITE_FULL);
  EXPECT_LT(twin.free_bytes(), 5000u);
  EXPECT_EQ(db.rows(), std::to_string(id - 1));
  std::size_t used = 0;
  for (const std::string& path : twin.list()) used += twin.content(path).size();
  EXPECT_EQ(twin.free_bytes(), 100'000 - used);

  twin.set_bytes_max(1000);
  EXPECT_EQ(twin.free_bytes(), 0u) << "a disk that shrinks below what is on it";
  EXPECT_EQ(db.insert(id), SQLITE_FULL);
  twin.set_bytes_max(200'000);
  EXPECT_EQ(db.insert(id), SQLITE_OK);
  EXPECT_EQ(db.check(), "ok");
}

TEST(StorageTwin, IsDownAfterACrashAndItsOldHandlesStayDead) {
  StorageTwin twin;
  auto old = std::make_unique<TwinDatabase>(twin);
  ASSERT_EQ(old->insert(1), SQLITE_OK);
  twin.crash_process();
  EXPECT_EQ(old->insert(2) & 0xff, SQLITE_IOERR);
  EXPECT_NE(TwinDatabase(twin).code(), SQLITE_OK);
  EXPECT_EQ(twin.remove(wal_path), SQLITE_IOERR);
  EXPECT_EQ(twin.rename(wal_path, "/x"), SQLITE_IOERR);
  EXPECT_EQ(twin.sync_directory(), SQLITE_IOERR);
  twin.restart();
  TwinDatabase fresh(twin);
  EXPECT_EQ(fresh.insert(3), SQLITE_OK);
  EXPECT_EQ(old->insert(4) & 0xff, SQLITE_IOERR);
  old.reset();
  EXPECT_EQ(fresh.insert(5), SQLITE_OK);
  EXPECT_EQ(fresh.text("SELECT group_concat(id) FROM row"), "1,3,5");
}

TEST(StorageTwin, IsDownForAProgramThatDoesMoreThanItMay) {
  StorageTwin twin;
  twin.allow_operations(2);
  EXPECT_EQ(twin.make("/a"), SQLITE_OK);
  EXPECT_EQ(twin.remove("/a"), SQLITE_OK);
  EXPECT_FALSE(twin.has_overrun());
  EXPECT_NE(twin.make("/b"), SQLITE_OK);
  EXPECT_TRUE(twin.has_overrun());
  EXPECT_TRUE(twin.is_down());
}

TEST(StorageTwin, ShowsAFlippedBitToSqlite) {
  StorageTwin twin;
  {
    TwinDatabase db(twin);
    for (int id = 1; id <= 20; ++id) db.insert(id);
  }
  const std::string sound = twin.content(TwinDatabase::path);
  twin.flip_bit(TwinDatabase::path, 4096 + 3, 7);
  EXPECT_NE(twin.content(TwinDatabase::path), sound);
  EXPECT_NE(TwinDatabase(twin).check(), "ok");
  twin.overwrite(TwinDatabase::path, 0, "no database at all");
  EXPECT_EQ(TwinDatabase(twin).code(), SQLITE_NOTADB);

  ASSERT_EQ(twin.rename(TwinDatabase::path, "/spool/corrupt"), SQLITE_OK);
  EXPECT_EQ(TwinDatabase(twin).rows(), "0");
  twin.put(TwinDatabase::path, sound);
  EXPECT_EQ(TwinDatabase(twin).rows(), "20");
  EXPECT_EQ(twin.list(), (std::vector<std::string>{"/spool/corrupt", TwinDatabase::path}));
}

TEST(StorageTwin, ForgetsNamesThatWereNotSynced) {
  std::set<std::string> left;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    StorageTwin twin(seed);
    twin.put("/a", "1");
    ASSERT_EQ(twin.rename("/a", "/b"), SQLITE_OK);
    ASSERT_EQ(twin.rename("/b", "/c"), SQLITE_OK);
    twin.lose_power();
    ASSERT_EQ(twin.list().size(), 1u);
    left.insert(twin.list()[0]);
    EXPECT_EQ(twin.content(twin.list()[0]), "1");

    twin.restart();
    twin.put("/d", "2");
    ASSERT_EQ(twin.rename("/d", "/e"), SQLITE_OK);
    ASSERT_EQ(twin.sync_directory(), SQLITE_OK);
    twin.lose_power();
    EXPECT_EQ(twin.content("/e"), "2");
  }
  EXPECT_EQ(left, (std::set<std::string>{"/a", "/b", "/c"}));
}

TEST(StorageTwin, MayBeUsedByAThread) {
  StorageTwin twin;
  std::thread storage([&] {
    TwinDatabase db(twin);
    for (int id = 1; id <= 200; ++id) EXPECT_EQ(db.insert(id), SQLITE_OK);
  });
  while (twin.changes() < 200) {
    EXPECT_GT(twin.free_bytes(), 0u);
    twin.list();
    std::this_thread::yield();
  }
  storage.join();
  EXPECT_EQ(TwinDatabase(twin).rows(), "200");
}

}  // namespace
}  // namespace outrider::test
