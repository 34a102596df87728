#include "sidecar/net/read_budget.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

class ReadBudgetTest : public testing::Test {
 protected:
  ReadBudgetTest() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_.data()), 0);
    const std::string sent(10'000, 'x');
    EXPECT_EQ(write(ends_[0], sent.data(), sent.size()), static_cast<ssize_t>(sent.size()));
  }
  ~ReadBudgetTest() override {
    for (const int end : ends_) close(end);
  }

  /// As libraries do: until nothing is there.
  std::size_t read_all(std::size_t piece_bytes) const {
    std::string piece(piece_bytes, '\0');
    std::size_t bytes = 0;
    for (ssize_t got = 0; (got = recv(ends_[1], piece.data(), piece.size(), 0)) > 0;) {
      bytes += static_cast<std::size_t>(got);
    }
    EXPECT_EQ(errno, EAGAIN);
    return bytes;
  }

  std::array<int, 2> ends_{};
};

TEST_F(ReadBudgetTest, EndsAReaderThatWouldGoOn) {
  {
    const ReadBudget budget(1000);
    EXPECT_EQ(read_all(500), 1000U);
    EXPECT_TRUE(budget.is_spent());
  }
  EXPECT_EQ(read_all(500), 9000U);
}

TEST_F(ReadBudgetTest, CountsReadsThatBringNearlyNothing) {
  const ReadBudget budget(100 * (1 + ReadBudget::read_cost_bytes));
  EXPECT_EQ(read_all(1), 100U);
}

TEST_F(ReadBudgetTest, InsideOfAnotherOneCountsAlone) {
  const ReadBudget outer(1000);
  {
    const ReadBudget inner(100);
    EXPECT_EQ(read_all(100), 100U);
  }
  EXPECT_FALSE(outer.is_spent());
  EXPECT_EQ(read_all(500), 1000U);
}

TEST_F(ReadBudgetTest, IsOfOneThread) {
  const ReadBudget budget(1);
  std::thread([this] { EXPECT_EQ(read_all(500), 10'000U); }).join();
  EXPECT_FALSE(budget.is_spent());
}

}  // namespace
}  // namespace outrider::sidecar
