#include "sidecar/base/helper_thread.hpp"

#include <atomic>
#include <future>

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

TEST(HelperThread, RunsJobsInTheirOrder) {
  HelperThread helper;
  std::string done;
  std::promise<void> last;
  EXPECT_TRUE(helper.run([&] { done += 'a'; }));
  EXPECT_TRUE(helper.run([&] {
    done += 'b';
    last.set_value();
  }));
  last.get_future().wait();
  EXPECT_TRUE(helper.wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(20)));
  EXPECT_EQ(done, "ab");
}

TEST(HelperThread, AJobThatHangsHoldsUpNeitherTheCallerNorTheEnd) {
  const auto go_on = std::make_shared<std::promise<void>>();
  const auto has_ended = std::make_shared<std::promise<void>>();
  const auto has_begun = std::make_shared<std::promise<void>>();
  auto ended = has_ended->get_future();
  auto begun = has_begun->get_future();
  {
    HelperThread helper;
    EXPECT_TRUE(helper.run([go_on, has_begun, has_ended] {
      has_begun->set_value();
      go_on->get_future().wait();
      has_ended->set_value();
    }));
    EXPECT_TRUE(helper.run([] {})) << "it has returned though the first one hangs";
    begun.wait();  // what has not begun when the helper ends never does
    EXPECT_FALSE(helper.wait_until(std::chrono::steady_clock::now()));
  }
  go_on->set_value();
  ended.wait();
}

}  // namespace
}  // namespace outrider::sidecar
