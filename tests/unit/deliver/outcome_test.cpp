#include "sidecar/deliver/outcome.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

Completion of(AttemptResult result, int status) {
  Completion completion;
  completion.result = result;
  completion.status = status;
  return completion;
}

TEST(Outcome, FollowsTheTable) {
  const auto of_status = [](int status) {
    return outcome_of(of(AttemptResult::answered, status), {});
  };
  for (const int status : {200, 201, 202, 204, 299}) {
    EXPECT_EQ(of_status(status), Outcome::delivered) << status;
  }
  for (const int status : {408, 421, 425, 429, 500, 502, 503, 504, 599}) {
    EXPECT_EQ(of_status(status), Outcome::retry) << status;
  }
  for (const int status : {301, 302, 307, 400, 404, 409, 415, 422, 600, 0, 100}) {
    EXPECT_EQ(of_status(status), Outcome::dead) << status;
  }
  EXPECT_EQ(of_status(413), Outcome::split);
  EXPECT_EQ(of_status(401), Outcome::hold);
  EXPECT_EQ(of_status(403), Outcome::hold);
  EXPECT_EQ(of_status(407), Outcome::hold) << "the proxy's credentials";
  EXPECT_EQ(of_status(410), Outcome::disable);
  EXPECT_EQ(outcome_of(of(AttemptResult::failed, 0), {}), Outcome::retry);
  EXPECT_EQ(outcome_of(of(AttemptResult::failed, 200), {}), Outcome::retry)
      << "the answer was cut short";
  EXPECT_EQ(outcome_of(of(AttemptResult::sent, 0), {}), Outcome::delivered);
}

TEST(Outcome, ASizeThatIsRefusedForNowIsTriedAgain) {
  Completion busy = of(AttemptResult::answered, 413);
  busy.retry_after = std::chrono::seconds(1);
  EXPECT_EQ(outcome_of(busy, {}), Outcome::retry);
  busy.retry_after.reset();
  busy.is_for_now = true;
  EXPECT_EQ(outcome_of(busy, {}), Outcome::retry) << "another url is there, and need not wait";
  EXPECT_EQ(outcome_of(busy, {{413, 413, Outcome::dead}}), Outcome::dead);
  busy.status = 400;
  EXPECT_EQ(outcome_of(busy, {}), Outcome::dead);
}

TEST(Outcome, OneOfSeveralUrlsIsGoneByItself) {
  Completion gone = of(AttemptResult::answered, 410);
  gone.others_remain = true;
  EXPECT_EQ(outcome_of(gone, {}), Outcome::retry);
  EXPECT_EQ(outcome_of(gone, {{410, 410, Outcome::dead}}), Outcome::dead);
  gone.status = 404;
  EXPECT_EQ(outcome_of(gone, {{404, 404, Outcome::disable}}), Outcome::retry);
  gone.status = 401;
  EXPECT_EQ(outcome_of(gone, {}), Outcome::hold);
}

TEST(Outcome, AnActionForTheStatusGoesBeforeTheTable) {
  const std::vector<StatusAction> actions = {{409, 409, Outcome::delivered},
                                             {422, 422, Outcome::retry},
                                             {500, 520, Outcome::dead},
                                             {500, 599, Outcome::hold}};
  const auto of_status = [&](int status) {
    EXPECT_EQ(outcome_of(status, actions),
              outcome_of(of(AttemptResult::answered, status), actions));
    return outcome_of(status, actions);
  };
  EXPECT_EQ(of_status(409), Outcome::delivered);
  EXPECT_EQ(of_status(422), Outcome::retry);
  EXPECT_EQ(of_status(520), Outcome::dead) << "the first that fits counts";
  EXPECT_EQ(of_status(521), Outcome::hold);
  EXPECT_EQ(of_status(400), Outcome::dead);
  EXPECT_EQ(outcome_of(of(AttemptResult::failed, 409), actions), Outcome::retry)
      << "without a whole answer the status does not count";
  EXPECT_EQ(outcome_of(of(AttemptResult::unsendable, 0), actions), Outcome::dead);
}

}  // namespace
}  // namespace outrider::sidecar
