#include "sidecar/http/url_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

class UrlLogTest : public testing::Test {
 protected:
  void fail(std::size_t url) {
    Completion completion;
    completion.result = AttemptResult::answered;
    completion.status = 503;
    completion.detail = "busy\n";
    lines_.failed(url, "h" + std::to_string(url), completion, clock_.now());
  }

  test::ManualClock clock_;
  test::MemoryLog log_;
  UrlLog lines_{"web", 3, log_};
};

TEST_F(UrlLogTest, TellsAnIllnessOnceAndItsEnd) {
  for (int i = 0; i < 5; ++i) {
    fail(1);
    clock_.advance(seconds(60));
  }
  for (int i = 0; i < 5; ++i) lines_.healthy(1, "h1");
  lines_.healthy(0, "h0");
  EXPECT_THAT(log_.lines,
              ElementsAre("warn one of several urls fails; the sidecar probes it until it answers "
                          "destination=web peer=h1 status=503 answer=busy\\x0a",
                          "info url recovered destination=web peer=h1"));
}

TEST_F(UrlLogTest, TellsOneIllnessInTenSecondsAndTheEndOfWhatItTold) {
  fail(0);
  fail(1);
  fail(2);
  EXPECT_EQ(log_.lines.size(), 1U);
  clock_.advance(seconds(10));
  lines_.healthy(1, "h1");
  fail(2);
  EXPECT_EQ(log_.count("peer=h2"), 1);
  EXPECT_EQ(log_.count("peer=h1"), 0);
}

TEST_F(UrlLogTest, HasNothingToSayOfASingleUrl) {
  UrlLog single("web", 1, log_);
  single.failed(0, "h0", Completion{}, clock_.now());
  single.healthy(0, "h0");
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(UrlLogTest, TellsThatASingleUrlFallsBack) {
  Completion completion;
  completion.detail = "stream 1\n";
  UrlLog single("web", 1, log_);
  single.falls_back("h0", completion);
  EXPECT_THAT(
      log_.lines,
      ElementsAre("warn an answer over HTTP/2 broke off before its status; HTTP/1.1 is used "
                  "for a while destination=web peer=h0 detail=stream 1\\x0a"));
}

}  // namespace
}  // namespace outrider::sidecar
