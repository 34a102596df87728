#include "sidecar/app/memory_mark.hpp"

#include <condition_variable>
#include <cstring>
#include <future>
#include <mutex>
#include <optional>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/memory_log.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

/// Only failing tests wait that long.
constexpr auto patience = 20s;

/// A disk that takes nothing while it is frozen. Static: a thread that hangs outlives its mark.
class FreezingDisk {
 public:
  void freeze(bool is_frozen) {
    const std::lock_guard guard(mutex_);
    is_frozen_ = is_frozen;
    changed_.notify_all();
  }
  ssize_t write(int fd, const void* data, std::size_t bytes, off_t offset) {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_frozen_; });
    --waiting_;
    ++writes_;
    std::memcpy(&last_, data, sizeof last_);
    changed_.notify_all();
    return ::pwrite(fd, data, bytes, offset);
  }
  bool is_waited_for() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [this] { return waiting_ > 0; });
  }
  /// The number in the file, when it is there.
  bool holds(std::uint64_t events) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return last_ == events + 1; });
  }
  int writes() {
    const std::lock_guard guard(mutex_);
    return writes_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_frozen_ = false;
  int waiting_ = 0;
  int writes_ = 0;
  std::uint64_t last_ = 0;
};

FreezingDisk disk;

ssize_t write_to_disk(int fd, const void* data, std::size_t bytes, off_t offset) {
  return disk.write(fd, data, bytes, offset);
}

class MemoryMarkTest : public testing::Test {
 protected:
  ~MemoryMarkTest() override { disk.freeze(false); }

  std::uint64_t left() { return MemoryMark(path_, log_).left_by_last_run(); }

  /// False: it does not return while the disk is frozen.
  template <typename Call>
  static bool returns(const Call& call) {
    auto done = std::async(std::launch::async, call);
    const bool has_returned = done.wait_for(patience) == std::future_status::ready;
    if (!has_returned) disk.freeze(false);
    return has_returned;
  }

  test::TempDir dir_;
  test::MemoryLog log_;
  const std::string path_ = dir_.file("spool.db");
  const std::string file_ = path_ + ".memory";
  MonoTime now_{};
};

TEST_F(MemoryMarkTest, TheNextRunFindsWhatTheLastOneHad) {
  EXPECT_EQ(left(), 0U);
  MemoryMark(path_, log_).set(7, now_);
  EXPECT_EQ(left(), 7U);
  EXPECT_EQ(left(), 0U);
  {
    MemoryMark mark(path_, log_);
    mark.set(7, now_);
    mark.set(0, now_);
  }
  EXPECT_EQ(left(), 0U);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(MemoryMarkTest, AFileThatWasRemovedIsMadeAgain) {
  {
    MemoryMark mark(path_, log_);
    ASSERT_EQ(::unlink(file_.c_str()), 0);
    mark.set(7, now_);
  }
  EXPECT_EQ(left(), 7U);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(MemoryMarkTest, ADiskThatHangsHoldsUpNobody) {
  std::optional<MemoryMark> mark(std::in_place, path_, log_, write_to_disk);
  disk.freeze(true);
  ASSERT_TRUE(returns([&] {
    mark->set(1, now_);
    ASSERT_TRUE(disk.is_waited_for());
    for (std::uint64_t events = 2; events <= 1'000; ++events) {
      mark->set(events, now_ += MemoryMark::period);
    }
  }));
  const int writes = disk.writes();
  disk.freeze(false);
  EXPECT_TRUE(disk.holds(1'000));
  EXPECT_LE(disk.writes(), writes + 2) << "what the disk did not take in time is not made up for";
  disk.freeze(true);
  mark->set(5, now_ += MemoryMark::period);
  ASSERT_TRUE(disk.is_waited_for());
  EXPECT_TRUE(returns([&] { mark.reset(); }));
  disk.freeze(false);
  EXPECT_TRUE(disk.holds(5)) << "its thread goes on without it";
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(MemoryMarkTest, ItIsWrittenOnceInAPeriodAndTheLastNumberIsNotForgotten) {
  MemoryMark mark(path_, log_, write_to_disk);
  EXPECT_EQ(mark.next_deadline(), never);
  mark.set(1, now_);
  EXPECT_EQ(mark.next_deadline(), never);
  ASSERT_TRUE(disk.holds(1));
  const int writes = disk.writes();
  for (std::uint64_t events = 2; events <= 100; ++events) mark.set(events, now_ + 1ms);
  EXPECT_EQ(mark.next_deadline(), now_ + MemoryMark::period);
  EXPECT_EQ(disk.writes(), writes);
  mark.set(100, now_ + MemoryMark::period);
  EXPECT_TRUE(disk.holds(100));
  EXPECT_EQ(disk.writes(), writes + 1);
  EXPECT_EQ(mark.next_deadline(), never);
}

TEST_F(MemoryMarkTest, AFileThatSomebodyCutsOffOrRemovesIsNoMatter) {
  {
    MemoryMark mark(path_, log_);
    ASSERT_EQ(truncate(file_.c_str(), 0), 0);
    mark.set(2, now_);
  }
  EXPECT_EQ(left(), 2U);
  MemoryMark mark(path_, log_);
  ASSERT_EQ(unlink(file_.c_str()), 0);
  mark.set(3, now_);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(MemoryMarkTest, AWriteThatFailsEndsTheMarkAndIsSaidOnce) {
  static std::promise<void> failed;
  static int writes = 0;
  MemoryMark mark(path_, log_, [](int, const void*, std::size_t bytes, off_t) {
    // Until the mark has seen the error, it may write again.
    if (++writes == 1) return static_cast<ssize_t>(bytes);
    if (writes == 2) failed.set_value();
    errno = EIO;
    return ssize_t{-1};
  });
  mark.set(1, now_);
  ASSERT_EQ(failed.get_future().wait_for(patience), std::future_status::ready);
  std::uint64_t events = 1;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  // The thread notes it after its write has returned.
  while (log_.lines.empty() && std::chrono::steady_clock::now() < deadline) {
    mark.set(++events, now_ += MemoryMark::period);
  }
  mark.set(++events, now_ += MemoryMark::period);
  EXPECT_EQ(log_.count("cannot record how many events"), 1);
  EXPECT_EQ(mark.next_deadline(), never);
}

TEST_F(MemoryMarkTest, WithoutRoomThereIsNoMarkAndItIsSaid) {
  std::optional<MemoryMark> mark;
  const rlimit none = {0, RLIM_INFINITY};
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &none);
  mark.emplace(path_, log_);
  setrlimit(RLIMIT_FSIZE, &before);
  mark->set(5, now_);
  EXPECT_EQ(log_.count("cannot record how many events"), 1);
}

}  // namespace
}  // namespace outrider::sidecar
