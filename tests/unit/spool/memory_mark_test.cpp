#include "sidecar/spool/memory_mark.hpp"

#include <optional>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/memory_log.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

class MemoryMarkTest : public testing::Test {
 protected:
  std::uint64_t left() { return MemoryMark(path_, log_).left_by_last_run(); }

  test::TempDir dir_;
  test::MemoryLog log_;
  const std::string path_ = dir_.file("spool.db");
  const std::string file_ = path_ + ".memory";
};

TEST_F(MemoryMarkTest, TheNextRunFindsWhatTheLastOneHad) {
  EXPECT_EQ(left(), 0U);
  MemoryMark(path_, log_).set(7);
  EXPECT_EQ(left(), 7U);
  EXPECT_EQ(left(), 0U);
  {
    MemoryMark mark(path_, log_);
    mark.set(7);
    mark.set(0);
  }
  EXPECT_EQ(left(), 0U);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(MemoryMarkTest, ItsBytesAreAllocatedBeforeTheyAreMapped) {
  const MemoryMark mark(path_, log_);
  struct stat status {};
  ASSERT_EQ(stat(file_.c_str(), &status), 0);
  EXPECT_GT(status.st_blocks, 0);
}

TEST_F(MemoryMarkTest, AFileThatSomebodyCutsOffEndsTheMarkAndNotTheProcess) {
  MemoryMark mark(path_, log_);
  mark.set(1);
  ASSERT_EQ(truncate(file_.c_str(), 0), 0);
  mark.set(2);
  mark.set(3);
  EXPECT_EQ(log_.count("cannot be counted"), 1);
}

TEST_F(MemoryMarkTest, AFileThatSomebodyRemovesIsNoMatter) {
  MemoryMark mark(path_, log_);
  ASSERT_EQ(unlink(file_.c_str()), 0);
  mark.set(2);
  EXPECT_TRUE(log_.lines.empty());
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
  mark->set(5);
  EXPECT_EQ(log_.count("cannot be counted"), 1);
}

}  // namespace
}  // namespace outrider::sidecar
