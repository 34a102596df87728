#include "sidecar/net/ipc_endpoints.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <unistd.h>

#include "support/memory_log.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

namespace fs = std::filesystem;

/// With a tick whenever the test wants one, and a cleaner.
class IpcEndpointsTest : public testing::Test {
 protected:
  IpcEndpointsTest() { EXPECT_TRUE(endpoints_.claim("ipc://" + path_, 0600, "").ok()); }

  void clean_and_tick(int times) {
    for (int i = 0; i < times; ++i) {
      fs::remove(path_);
      endpoints_.look_after();
    }
  }
  void tick(int times) {
    for (int i = 0; i < times; ++i) endpoints_.look_after();
  }
  int returns() const { return log_.count("warn the socket's file or its lock was removed"); }
  int losses() const { return log_.count("error the socket's file or its lock was removed"); }

  test::TempDir dir_;
  const std::string path_ = dir_.file("s.sock");
  test::MemoryLog log_;
  IpcEndpoints endpoints_{log_, [](const std::string&, int listener_fd) -> Status {
                            close(listener_fd);
                            return Nothing{};
                          }};
};

TEST_F(IpcEndpointsTest, ACleanerMakesOneLineInTenSecondsWithACount) {
  clean_and_tick(1);
  EXPECT_EQ(returns(), 1);
  EXPECT_EQ(log_.count("times=1"), 1);
  clean_and_tick(60);
  EXPECT_EQ(returns(), 7);
  EXPECT_EQ(log_.count("times=10"), 6);
  fs::remove(path_);
  tick(1);
  EXPECT_EQ(returns(), 7);
  tick(9);
  EXPECT_EQ(returns(), 8) << "what was left out is told though nothing more happens";
  tick(100);
  EXPECT_EQ(returns(), 8);
}

TEST_F(IpcEndpointsTest, NeverGivesUpAndTakesDescriptorsSlowlyAfterManyReturns) {
  clean_and_tick(2 * IpcEndpoints::returns_max);
  EXPECT_EQ(losses(), 3) << "once, and after each of the returns that time has allowed";
  fs::remove(path_);
  tick(IpcEndpoints::return_ticks);
  EXPECT_TRUE(fs::exists(path_));
  EXPECT_EQ(log_.count("because=it is removed again and again"), losses());
}

TEST_F(IpcEndpointsTest, OneThatComesAndGoesMakesFewLines) {
  for (int i = 0; i < 60; ++i) {
    fs::remove(path_);
    fs::create_directory(path_);
    endpoints_.look_after();
    fs::remove(path_);
    endpoints_.look_after();
  }
  EXPECT_LE(losses(), 12);
  EXPECT_LE(returns(), 12);
}

}  // namespace
}  // namespace outrider::sidecar
