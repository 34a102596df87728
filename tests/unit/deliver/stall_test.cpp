// A receiver that takes nothing, and no attempt ends.
#include "unit/deliver/destination_fixture.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class StallTest : public DestinationFixture {
 protected:
  void pass(Duration time) {
    clock.advance(time);
    turn();
  }
  void take() {
    Completion completion;
    completion.id = transport->open.begin()->first;
    completion.result = AttemptResult::sent;
    transport->complete(completion);
    turn();
  }
  int stalls() const { return log.count("warn destination hangs in a write"); }
  int ends() const { return log.count("info destination accepts events again"); }
};

TEST_F(StallTest, IsSaidAfterATimeAndNowAndThenAndWhenItIsOver) {
  config.type = DestinationType::file;
  config.concurrency_max = 1;
  build();
  accept(1, 5);
  turn();
  pass(seconds(29));
  EXPECT_EQ(stalls(), 0);
  sleep_until_due();
  EXPECT_EQ(stalls(), 1);
  EXPECT_EQ(log.count("since=30s queued=5"), 1);
  pass(minutes(9));
  EXPECT_EQ(stalls(), 1);
  sleep_until_due();
  EXPECT_EQ(stalls(), 2);
  EXPECT_EQ(ends(), 0);
  take();
  EXPECT_EQ(ends(), 1);
  // The next one has hung no time yet.
  pass(seconds(29));
  EXPECT_EQ(stalls(), 2);
  take();
  pass(minutes(20));
  EXPECT_EQ(stalls(), 2) << "nothing waits";
  EXPECT_EQ(ends(), 1);
}

TEST_F(StallTest, ARequestHasATimeoutOfItsOwn) {
  build();
  accept(1, 1);
  turn();
  pass(minutes(1));
  EXPECT_EQ(stalls(), 0);
  transport->answer(200);
  turn();
}

}  // namespace
}  // namespace outrider::sidecar
