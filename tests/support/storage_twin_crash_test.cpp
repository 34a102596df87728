// What is left of SQLite databases, and of plain files, after crashes: the twin keeps what was
// synced, and has teeth for what was not.
#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "support/storage_twin.hpp"
#include "support/twin_database.hpp"
#include "support/twin_file.hpp"

namespace outrider::test {
namespace {

#ifdef OUTRIDER_SANITIZED
constexpr std::uint64_t seeds_a_change = 2;
#else
constexpr std::uint64_t seeds_a_change = 8;
#endif

/// What must be in the table, and what may be: a transaction that failed in a crash is either.
struct Expected {
  std::set<std::int64_t> rows;
  std::set<std::int64_t> doubtful;

  void settle(int code, std::int64_t id, bool is_there) {
    if (code != SQLITE_OK) {
      doubtful.insert(id);
    } else if (is_there) {
      rows.insert(id);
    } else {
      rows.erase(id);
    }
  }

  bool fits(const std::set<std::int64_t>& found) const {
    const auto is_doubtful = [&](std::int64_t id) { return doubtful.contains(id); };
    std::set<std::int64_t> wrong;
    std::set_symmetric_difference(rows.begin(), rows.end(), found.begin(), found.end(),
                                  std::inserter(wrong, wrong.end()));
    return std::all_of(wrong.begin(), wrong.end(), is_doubtful);
  }
};

/// Rows come and go, as in a spool, with checkpoints between; then the database is closed.
void work(StorageTwin& twin, std::int64_t first, int count, Expected& expected) {
  TwinDatabase db(twin);
  if (db.code() != SQLITE_OK) return;
  for (std::int64_t id = first; id < first + count && !twin.is_down(); ++id) {
    expected.settle(db.insert(id), id, true);
    if (id % 3 == 0) expected.settle(db.remove(id - 1), id - 1, false);
    if (id % 8 == 0) db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  }
}

bool holds(StorageTwin& twin, const Expected& expected) {
  TwinDatabase db(twin);
  return db.code() == SQLITE_OK && db.check() == "ok" && expected.fits(db.ids());
}

std::uint64_t changes_of_work(int count) {
  StorageTwin twin;
  Expected expected;
  work(twin, 1, count, expected);
  const std::uint64_t changes = twin.changes();
  EXPECT_EQ(expected.doubtful.size(), 0u);
  EXPECT_TRUE(holds(twin, expected));
  return changes;
}

class StorageCrashes : public testing::TestWithParam<StorageCrash> {};

TEST_P(StorageCrashes, AtEachChangeLoseNoCommittedRow) {
  const std::uint64_t changes = changes_of_work(20);
  ASSERT_GT(changes, 100u);
  for (std::uint64_t nth = 1; nth <= changes; ++nth) {
    for (std::uint64_t seed = 1; seed <= seeds_a_change; ++seed) {
      StorageTwin twin(nth * 1000 + seed);
      Expected expected;
      twin.crash_at(nth, GetParam());
      work(twin, 1, 20, expected);
      ASSERT_TRUE(twin.is_down());
      twin.restart();
      ASSERT_TRUE(holds(twin, expected)) << "change " << nth << ", seed " << seed;
    }
  }
}

TEST_P(StorageCrashes, OfOneLifeAfterAnotherLoseNoCommittedRow) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    StorageTwin twin(seed);
    TwinRandom random(seed);
    Expected expected;
    for (int life = 0; life < 6; ++life) {
      twin.crash_at(1 + random.up_to(life % 2 == 0 ? 150 : 10), GetParam());
      work(twin, 1 + 100 * life, 30, expected);
      twin.crash(GetParam());
      twin.restart();
    }
    ASSERT_TRUE(holds(twin, expected)) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, StorageCrashes,
                         testing::Values(StorageCrash::process, StorageCrash::power),
                         [](const auto& param) {
                           return param.param == StorageCrash::process ? "process" : "power";
                         });

/// Commits up to 60 rows, one by one, with a crash somewhere between or within. How many of the
/// last ones are lost, or -1 if the database is not sound.
int lost_rows(std::uint64_t seed, const std::string& sync, StorageCrash crash, bool ignores_syncs) {
  StorageTwin twin(seed);
  twin.ignore_syncs(ignores_syncs);
  TwinRandom random(seed);
  auto db = std::make_unique<TwinDatabase>(twin, sync);
  twin.crash_at(50 + random.up_to(350), crash);
  int committed = 0;
  while (committed < 60 && db->insert(committed + 1) == SQLITE_OK) ++committed;
  if (!twin.is_down()) twin.crash(crash);
  db.reset();
  twin.restart();
  TwinDatabase again(twin);
  if (again.code() != SQLITE_OK || again.check() != "ok") return -1;
  const std::set<std::int64_t> found = again.ids();
  const int rows = static_cast<int>(found.size());
  if (rows > committed + 1 || (rows > 0 && *found.rbegin() != rows)) return -1;
  return std::max(0, committed - rows);
}

struct Losses {
  int unharmed = 0;
  int shortened = 0;  ///< sound, but the last rows are missing
  int unsound = 0;
};

Losses losses(int seeds, const std::string& sync, StorageCrash crash, bool ignores_syncs = false) {
  Losses losses;
  for (int seed = 1; seed <= seeds; ++seed) {
    const int lost = lost_rows(static_cast<std::uint64_t>(seed), sync, crash, ignores_syncs);
    ++(lost == 0 ? losses.unharmed : lost > 0 ? losses.shortened : losses.unsound);
  }
  return losses;
}

TEST(StorageTwinCrash, OfTheProcessLosesNothingWithAnySync) {
  for (const char* sync : {"FULL", "NORMAL"}) {
    EXPECT_EQ(losses(100, sync, StorageCrash::process).unharmed, 100) << sync;
  }
}

TEST(StorageTwinCrash, OfPowerLosesNothingWithFullSync) {
  EXPECT_EQ(losses(400, "FULL", StorageCrash::power).unharmed, 400);
}

TEST(StorageTwinCrash, OfPowerLosesTheLastRowsAtMostWithNormalSync) {
  const Losses seen = losses(400, "NORMAL", StorageCrash::power);
  EXPECT_EQ(seen.unsound, 0);
  EXPECT_GT(seen.shortened, 100);
  EXPECT_GT(seen.unharmed, 50);
}

TEST(StorageTwinCrash, OfPowerHasTeeth) {
  const Losses lying_disk = losses(100, "FULL", StorageCrash::power, true);
  EXPECT_GT(lying_disk.shortened + lying_disk.unsound, 50);
  const Losses no_sync = losses(100, "OFF", StorageCrash::power);
  EXPECT_GT(no_sync.shortened, 0);
  EXPECT_GT(no_sync.unsound, 0) << "a checkpoint without syncs can corrupt the database";
}

/// Every content that `change` can leave behind, over many seeds.
template <typename Change>
std::set<std::string> outcomes(Change change, int seeds = 400) {
  std::set<std::string> seen;
  for (int seed = 1; seed <= seeds; ++seed) {
    TwinRandom random(static_cast<std::uint64_t>(seed));
    TwinFile file;
    change(file);
    file.lose_power(random);
    seen.insert(file.content());
  }
  return seen;
}

std::string sectors(const std::string& letters) {
  std::string bytes;
  for (const char letter : letters) bytes.append(TwinFile::sector_bytes, letter);
  return bytes;
}

TEST(TwinFile, KeepsWhatIsSynced) {
  const auto seen = outcomes([](TwinFile& file) {
    file.write(0, sectors("ab"));
    file.write(100, "xyz");
    file.resize(700);
    file.sync();
  });
  std::string expected = sectors("ab").replace(100, 3, "xyz");
  expected.resize(700);
  EXPECT_EQ(seen, std::set<std::string>{expected});
}

TEST(TwinFile, LosesAnySectorThatIsNot) {
  const auto seen = outcomes([](TwinFile& file) {
    file.write(0, sectors("abc"));
    file.sync();
    file.write(0, sectors("ABC"));
  });
  for (const char* whole : {"abc", "Abc", "aBc", "abC", "ABc", "AbC", "aBC", "ABC"}) {
    EXPECT_TRUE(seen.contains(sectors(whole))) << whole;
  }
  EXPECT_GT(seen.size(), 8u) << "some are torn";
}

TEST(TwinFile, TearsNoByteThatWasNotWritten) {
  const auto seen = outcomes([](TwinFile& file) {
    file.write(0, sectors("a"));
    file.sync();
    file.write(10, "0123456789");
  });
  EXPECT_GT(seen.size(), 2u);
  for (const std::string& content : seen) {
    EXPECT_EQ(content.substr(0, 10), std::string(10, 'a'));
    EXPECT_EQ(content.substr(20), std::string(492, 'a'));
  }
}

TEST(TwinFile, NeverBringsAnOlderWriteBackOverANewerOne) {
  const auto seen = outcomes([](TwinFile& file) {
    file.write(0, sectors("a"));
    file.sync();
    file.write(0, sectors("b"));
    file.write(0, sectors("c"));
  });
  for (const std::string& content : seen) {
    EXPECT_TRUE(std::is_sorted(content.rbegin(), content.rend()));
  }
  EXPECT_TRUE(seen.contains(sectors("b")));
}

TEST(TwinFile, MayGrowWithoutItsData) {
  const auto seen = outcomes([](TwinFile& file) {
    file.write(0, sectors("a"));
    file.sync();
    file.write(512, sectors("b"));
  });
  EXPECT_TRUE(seen.contains(sectors("a")));
  EXPECT_TRUE(seen.contains(sectors("ab")));
  EXPECT_TRUE(seen.contains(sectors("a") + std::string(512, '\0')));
}

TEST(TwinFile, BringsBackNothingThatATruncationTookWithIt) {
  const auto seen = outcomes([](TwinFile& file) {
    file.write(0, sectors("ab"));
    file.sync();
    file.resize(0);
    file.write(0, sectors("xyz"));
  });
  EXPECT_TRUE(seen.contains(sectors("ab"))) << "nothing of it reached the disk";
  EXPECT_TRUE(seen.contains("")) << "the truncation alone";
  for (const std::string& content : seen) {
    if (content.size() != 1536) continue;
    EXPECT_EQ(content.find_first_of("ab"), std::string::npos);
  }
}

TEST(TwinFile, IsNotMadeSafeByASyncAfterAFailedOne) {
  const auto seen = outcomes([](TwinFile& file) {
    file.write(0, sectors("ab"));
    file.sync();
    file.write(0, sectors("AB"));
    file.fail_sync();
    file.write(0, sectors("x"));
    file.sync();
  });
  EXPECT_TRUE(seen.contains(sectors("xb")));
  EXPECT_TRUE(seen.contains(sectors("xB")));
  for (const std::string& content : seen) EXPECT_EQ(content.substr(0, 512), sectors("x"));
}

}  // namespace
}  // namespace outrider::test
