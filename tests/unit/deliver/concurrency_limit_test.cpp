// The concurrency limit against receivers that answer as a queue of workers does.

#include "sidecar/deliver/concurrency_limit.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

/// A receiver with so many workers, each taking `latency` for a request; more requests wait.
class Receiver {
 public:
  Receiver(std::size_t workers, Duration latency) : latency_(latency), free_at_(workers) {}

  void set_workers(std::size_t workers) { free_at_.resize(workers, MonoTime{}); }

  /// When it will have answered a request that comes now.
  MonoTime answer_at(MonoTime now) {
    auto worker = std::min_element(free_at_.begin(), free_at_.end());
    const auto scatter = static_cast<std::uint64_t>(latency_.count() / 10);
    *worker = std::max(*worker, now) + latency_ + Duration(random_.below(scatter + 1));
    return *worker;
  }

 private:
  Duration latency_;
  std::vector<MonoTime> free_at_;
  Random random_{1};
};

/// Always has a full batch to send.
class Sender {
 public:
  Sender(Receiver& receiver, std::uint64_t min, std::uint64_t max)
      : receiver_(receiver), limit_(min, max) {
    now_.mono = MonoTime(1h);
  }

  /// Returns the answers that came.
  std::uint64_t run(Duration duration) {
    const MonoTime end = now_.mono + duration;
    std::uint64_t answers = 0;
    while (now_.mono < end) {
      while (open_.size() < limit_.limit()) {
        open_.emplace(receiver_.answer_at(now_.mono), Open{++last_attempt_, now_.mono});
      }
      limit_.note_held_back();
      const auto [at, open] = *open_.begin();
      open_.erase(open_.begin());
      now_.mono = at;
      limit_.answered(open.attempt, last_attempt_, at - open.started_at, now_);
      ++answers;
    }
    return answers;
  }

  /// How long it takes until the limit is at most this.
  Duration time_until_at_most(std::size_t limit, Duration patience) {
    const MonoTime begin = now_.mono;
    while (limit_.limit() > limit && now_.mono - begin < patience) run(1ms);
    return now_.mono - begin;
  }

  ConcurrencyLimit& limit() { return limit_; }

 private:
  struct Open {
    AttemptId attempt;
    MonoTime started_at;
  };

  Receiver& receiver_;
  ConcurrencyLimit limit_;
  Now now_{};
  AttemptId last_attempt_ = 0;
  std::multimap<MonoTime, Open> open_;
};

struct Case {
  std::size_t workers;
  Duration latency;
};

class ConcurrencyLimitTest : public ::testing::TestWithParam<Case> {};

TEST_P(ConcurrencyLimitTest, FindsAtLeastNineTenthsOfTheBestFixedSettingsThroughput) {
  const auto [workers, latency] = GetParam();
  std::uint64_t best = 0;
  for (std::uint64_t fixed = 1; fixed <= 64; fixed *= 2) {
    Receiver receiver(workers, latency);
    best = std::max(best, Sender(receiver, fixed, fixed).run(60s));
  }
  Receiver receiver(workers, latency);
  Sender sender(receiver, 1, 64);
  EXPECT_GE(sender.run(60s), best * 9 / 10);
  EXPECT_LE(sender.limit().limit(), workers * 2 + 6) << "without a long queue in the receiver";
}

TEST_P(ConcurrencyLimitTest, BacksOffWithinTwoSecondsWhenTheCapacityHalves) {
  const auto [workers, latency] = GetParam();
  Receiver receiver(workers, latency);
  Sender sender(receiver, 1, 64);
  sender.run(60s);
  const std::size_t before = sender.limit().limit();
  receiver.set_workers(workers / 2);
  EXPECT_LE(sender.time_until_at_most(before * 3 / 4, 60s), Duration(2s));
}

INSTANTIATE_TEST_SUITE_P(Receivers, ConcurrencyLimitTest,
                         ::testing::Values(Case{8, 1ms}, Case{8, 20ms}, Case{8, 200ms},
                                           Case{32, 1ms}, Case{32, 20ms}, Case{32, 200ms}),
                         [](const auto& test) {
                           return std::to_string(test.param.workers) + "WorkersOf" +
                                  std::to_string(test.param.latency / 1ms) + "Milliseconds";
                         });

TEST(ConcurrencyLimit, AFailureMakesItSmallerOnceAWindow) {
  ConcurrencyLimit limit(1, 64);
  const Now now{MonoTime(1h), {}};
  for (AttemptId attempt = 1; attempt <= 4; ++attempt) limit.failed(attempt, 4, now);
  EXPECT_EQ(limit.limit(), 2U) << "0.7 of 4, not four times";
}

TEST(ConcurrencyLimit, StaysBetweenItsBounds) {
  ConcurrencyLimit limit(3, 5);
  Now now{MonoTime(1h), {}};
  for (AttemptId attempt = 1; attempt <= 100; ++attempt) limit.failed(attempt, attempt, now);
  EXPECT_EQ(limit.limit(), 3U);
  for (AttemptId attempt = 101; attempt <= 200; ++attempt) {
    now.mono += 30ms;
    limit.note_held_back();
    limit.answered(attempt, attempt, 1ms, now);
  }
  EXPECT_EQ(limit.limit(), 5U);
}

TEST(ConcurrencyLimit, LearnsNothingWithoutPressure) {
  ConcurrencyLimit limit(1, 64);
  Now now{MonoTime(1h), {}};
  for (AttemptId attempt = 1; attempt <= 100; ++attempt) {
    now.mono += 30ms;
    limit.answered(attempt, attempt, Duration(attempt * 1ms), now);
  }
  EXPECT_EQ(limit.limit(), 4U);
}

TEST(ConcurrencyLimit, AReceiverThatHasBecomeSlowerForGoodGetsItsRequestsBack) {
  Receiver fast(16, 10ms);
  Receiver slow(16, 100ms);
  Sender sender(fast, 1, 16);
  sender.run(30s);
  fast = slow;
  sender.run(30s);
  EXPECT_GE(sender.limit().limit(), 12U);
}

}  // namespace
}  // namespace outrider::sidecar
