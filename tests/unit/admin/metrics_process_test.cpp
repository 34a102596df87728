#include "sidecar/admin/metrics_process.hpp"

#include <ctime>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

TEST(ProcessUsage, HasAllFigures) {
  const ProcessUsage usage = read_process_usage();
  EXPECT_GT(usage.cpu_time, 0ns);
  EXPECT_GT(usage.resident_memory_bytes, 1U << 20U);
  EXPECT_GT(usage.virtual_memory_bytes, usage.resident_memory_bytes);
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(usage.max_fds, limit.rlim_cur);
}

TEST(ProcessUsage, CountsOpenDescriptors) {
  const auto before = read_process_usage().open_fds;
  ASSERT_TRUE(before);
  const int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(read_process_usage().open_fds, *before + 1);
  close(descriptor);
  EXPECT_EQ(read_process_usage().open_fds, before);
}

TEST(ProcessUsage, TheProcessStartedBeforeNowAndNotLongAgo) {
  const auto start = read_process_usage().start_time;
  ASSERT_TRUE(start);
  const WallTime now{std::chrono::seconds(std::time(nullptr))};
  // The kernel's time of boot is in whole seconds.
  EXPECT_LT(*start, now + 3s);
  EXPECT_GT(*start, now - 10min);
}

}  // namespace
}  // namespace outrider::sidecar
