#include "sidecar/spool/disk.hpp"

#include <gtest/gtest.h>
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
    return StorageAgent::open(settings, open_disk(), exchange, log, clock.now());
  }

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

}  // namespace
}  // namespace outrider::sidecar
