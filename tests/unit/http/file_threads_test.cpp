#include "sidecar/http/file_threads.hpp"

#include <future>

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FileThreadsTest : public testing::Test {
 protected:
  ~FileThreadsTest() override { release_.set_value(); }

  /// Its thread is stuck until the end.
  bool hang() {
    return threads_.run([released = released_] { released.wait(); });
  }

  /// Whether a job is done.
  bool answers() {
    const auto done = std::make_shared<std::promise<void>>();
    std::future<void> is_done = done->get_future();
    if (!threads_.run([done] { done->set_value(); })) return false;
    return is_done.wait_for(seconds(30)) == std::future_status::ready;
  }

  std::promise<void> release_;
  std::shared_future<void> released_ = release_.get_future().share();
  FileThreads threads_{milliseconds(1)};
};

TEST_F(FileThreadsTest, OneThatHangsHoldsUpNoOther) {
  for (int hung = 0; hung < 3; ++hung) {
    EXPECT_TRUE(answers());
    EXPECT_TRUE(hang());
  }
  EXPECT_TRUE(answers());
}

TEST_F(FileThreadsTest, ManyThatHangAreManyThreadsAndNotMore) {
  for (std::size_t hung = 0; hung < FileThreads::threads_max; ++hung) ASSERT_TRUE(hang());
  EXPECT_FALSE(hang());
}

}  // namespace
}  // namespace outrider::sidecar
