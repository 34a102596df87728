#include "sidecar/spool/disk.hpp"

#include <chrono>
#include <csignal>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/spool/storage_agent.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

unsigned mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777U;
}

class DiskTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<StorageAgent>> open() {
    StorageSettings settings;
    settings.path = path;
    settings.lanes = {"audit"};
    settings.watch_lock = [this](const std::string&) { return is_watched; };
    return StorageAgent::open(settings, open_disk(), exchange, log, clock.now());
  }

  /// Whether a frame that is to be confirmed is taken.
  bool takes_a_frame(StorageAgent& agent) {
    auto question = std::make_unique<Question>();
    ConfirmedFrame frame;
    frame.sequence = ++frames_;
    question->frames.push_back(frame);
    exchange.ask(std::move(question));
    clock.advance(std::chrono::seconds(10));
    agent.do_work(clock.now());
    const auto replies = exchange.collect();
    return !replies.empty() && !replies.back()->intake_trouble;
  }

  bool has_lock() const { return ::access(lock_path(path).c_str(), F_OK) == 0; }

  bool is_watched = true;
  std::uint64_t frames_ = 0;
  test::TempDir folder;
  std::string path = folder.file("outrider.db");
  Exchange exchange;
  test::MemoryLog log;
  test::ManualClock clock;
};

TEST_F(DiskTest, NobodyElseMayReadTheSpool) {
  const auto agent = open();
  ASSERT_TRUE(agent.ok()) << agent.error().message;
  for (const char* end : {"", "-wal", ".lock", ".reserve"}) {
    EXPECT_EQ(mode_of(path + end), 0600U) << end;
  }
}

TEST_F(DiskTest, ItsFolderIsNeverMade) {
  path = folder.file("volume/outrider.db");
  const auto agent = open();
  ASSERT_FALSE(agent.ok());
  EXPECT_NE(agent.error().message.find("mount its volume first"), std::string::npos);
  EXPECT_NE(::access(folder.file("volume").c_str(), F_OK), 0);
}

TEST_F(DiskTest, ASmallReserveStaysWhereThereIsNoRoomForALargeOne) {
  const auto disk = open_disk();
  constexpr std::uint64_t small_bytes = 4096;
  ASSERT_TRUE(disk->take_reserve(path, small_bytes));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{small_bytes, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const bool is_taken = disk->take_reserve(path, 2 * small_bytes);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(is_taken);
  const auto reserve = disk->look_at(reserve_path(path));
  ASSERT_TRUE(reserve);
  EXPECT_EQ(reserve->bytes, small_bytes);
}

TEST_F(DiskTest, AReserveIsGivenBackUntilNothingOfItIsLeft) {
  const auto disk = open_disk();
  ASSERT_TRUE(disk->take_reserve(path, 3000));
  EXPECT_TRUE(disk->give_back_reserve(path, 2000));
  EXPECT_TRUE(disk->give_back_reserve(path, 2000));
  EXPECT_FALSE(disk->look_at(reserve_path(path)));
  EXPECT_FALSE(disk->give_back_reserve(path, 2000));
}

TEST_F(DiskTest, AReserveThatCannotBeDeletedIsNotGivenBack) {
  const auto disk = open_disk();
  ASSERT_EQ(::mkdir(reserve_path(path).c_str(), 0700), 0);  // not even root can unlink this
  EXPECT_FALSE(disk->give_back_reserve(path, 1U << 20U));
}

TEST_F(DiskTest, AModeThatIsTooWideIsNarrowed) {
  ASSERT_TRUE(open().ok());
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  const auto agent = open();
  ASSERT_TRUE(agent.ok());
  EXPECT_EQ(mode_of(path), 0600U);
}

TEST_F(DiskTest, ASecondProcessIsRefusedUntilTheFirstHasGone) {
  {
    const auto first = open();
    ASSERT_TRUE(first.ok());
    const auto second = open();
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.error().message.find("in use by another sidecar"), std::string::npos);
  }
  EXPECT_TRUE(open().ok());
}

// As `cp -al` makes it, a backup of the spool's folder by hard links.
TEST_F(DiskTest, AFileWithASecondNameIsRefused) {
  const std::string second = folder.file("second.db");
  auto first = open();
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(takes_a_frame(*first.value()));
  ASSERT_EQ(::link(path.c_str(), second.c_str()), 0);
  EXPECT_FALSE(takes_a_frame(*first.value()));
  EXPECT_EQ(log.count("has more than one name (hard links)"), 1);
  const std::string first_path = std::exchange(path, second);
  const auto refused = open();
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("has more than one name"), std::string::npos);
  path = first_path;
  ASSERT_EQ(::unlink(second.c_str()), 0);
  EXPECT_TRUE(takes_a_frame(*first.value()));
}

TEST_F(DiskTest, ALogWithASecondNameIsRefusedToo) {
  auto agent = open();
  ASSERT_TRUE(agent.ok());
  ASSERT_EQ(::link(wal_path(path).c_str(), folder.file("second").c_str()), 0);
  EXPECT_FALSE(takes_a_frame(*agent.value()));
}

TEST_F(DiskTest, ALockThatWasRemovedIsTakenAgain) {
  const auto agent = open();
  ASSERT_TRUE(agent.ok());
  EXPECT_TRUE(takes_a_frame(*agent.value()));
  ASSERT_EQ(::unlink(lock_path(path).c_str()), 0);
  EXPECT_TRUE(takes_a_frame(*agent.value()));
  EXPECT_FALSE(open().ok()) << "a second sidecar finds it locked";
}

TEST_F(DiskTest, AQuietSidecarTakesItsLockAgainWhenItHearsOfIt) {
  const auto agent = open();
  ASSERT_TRUE(agent.ok());
  agent.value()->do_work(clock.now());
  EXPECT_GT(agent.value()->next_deadline(), clock.now().mono + std::chrono::minutes(1));
  ASSERT_EQ(::unlink(lock_path(path).c_str()), 0);
  auto look = std::make_unique<Question>();
  look->wants_look = true;
  exchange.ask(std::move(look));
  agent.value()->do_work(clock.now());
  EXPECT_TRUE(has_lock());
  EXPECT_FALSE(open().ok()) << "a second sidecar finds it locked";
}

TEST_F(DiskTest, WhereNobodyTellsOfTheLockItIsLookedAtEachSecond) {
  is_watched = false;
  const auto agent = open();
  ASSERT_TRUE(agent.ok());
  const auto works_in_a_second = [&] {
    clock.advance(std::chrono::seconds(1));
    EXPECT_LE(agent.value()->next_deadline(), clock.now().mono);
    agent.value()->do_work(clock.now());
    return agent.value()->do_work(clock.now()) > 0;
  };
  agent.value()->do_work(clock.now());
  EXPECT_FALSE(works_in_a_second());
  // As `outrider dead` does.
  ASSERT_EQ(::utimensat(AT_FDCWD, lock_path(path).c_str(), nullptr, 0), 0);
  EXPECT_TRUE(works_in_a_second()) << "it looks at the database";
  EXPECT_FALSE(works_in_a_second());
  ASSERT_EQ(::unlink(lock_path(path).c_str()), 0);
  EXPECT_TRUE(works_in_a_second());
  EXPECT_TRUE(has_lock());
  EXPECT_FALSE(open().ok()) << "a second sidecar finds it locked";
}

TEST_F(DiskTest, WithoutTheFileOfItsSharedMemoryItIsOpenedAnewAndLosesNothing) {
  const auto agent = open();
  ASSERT_TRUE(agent.ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(takes_a_frame(*agent.value()));
    ASSERT_EQ(::unlink(shm_path(path).c_str()), 0) << "it is there again";
  }
  EXPECT_TRUE(takes_a_frame(*agent.value()));
  EXPECT_EQ(log.count("shared memory was deleted"), 3);
  Database database(path, OpenMode::read_only);
  // One client, whose window has them all.
  EXPECT_EQ(database.number("SELECT highest FROM client"), 4);
}

TEST_F(DiskTest, WhoeverHasTheLockNowHasTheSpool) {
  const auto agent = open();
  ASSERT_TRUE(agent.ok());
  ASSERT_EQ(::unlink(lock_path(path).c_str()), 0);
  {
    const auto other = open_disk();
    other->lock(path);
    EXPECT_FALSE(takes_a_frame(*agent.value()));
    EXPECT_EQ(log.count("in use by another sidecar"), 1);
  }
  EXPECT_TRUE(takes_a_frame(*agent.value()));
}

}  // namespace
}  // namespace outrider::sidecar
