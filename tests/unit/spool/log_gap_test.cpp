// A log with a gap, left by a sync that failed: what is promised behind it, and what the power
// does.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::StorageCrash;
using test::StorageOperation;

class LogGapTest : public SpoolFixture {
 protected:
  LogGapTest() { open(); }

  /// A settlement that was committed without a sync, and then a sync that fails.
  void leave_gap(std::uint64_t first) {
    const Block old = ask(frame(first, 1))->lanes.at(0).stored.at(0);
    Question settled;
    settled.settlements.push_back(whole(old));
    ask(std::move(settled));
    twin.fail({.operation = StorageOperation::sync, .code = SQLITE_IOERR_FSYNC});
    EXPECT_TRUE(ask(frame(first + 1, 2))->intake_trouble);
  }
};

TEST_F(LogGapTest, AGapThatAFailedSyncLeftTakesNothingConfirmedWithIt) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::uint64_t first = seed * 10;
    leave_gap(first);
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

/// The power fails while the log with its gap is made good, or moved into the database.
TEST_F(LogGapTest, AGapThatAFailedSyncLeftIsNotMovedIntoTheDatabase) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const std::uint64_t first = seed * 10;
    leave_gap(first);
    twin.crash_at(seed % 40 + 1, StorageCrash::power);
    clock.advance(2s);
    if (seed % 3 == 0) {
      agent.reset();
    } else {
      ask(frame(first + 1, 2));
    }
    crash(StorageCrash::power);
    open();
    ASSERT_FALSE(ask(frame(first, 1))->frames[0].is_new)
        << "it was confirmed and is gone, seed " << seed;
    ASSERT_EQ(log.count("the damaged spool was set aside"), 0) << "seed " << seed;
  }
}

}  // namespace
}  // namespace outrider::sidecar
