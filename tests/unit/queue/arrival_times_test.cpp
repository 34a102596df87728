#include "sidecar/queue/arrival_times.hpp"

#include <deque>

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"
#include "sidecar/queue/event_queue.hpp"
#include "support/numbered_record.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime start{1000s};

TEST(ArrivalTimes, EventsOfATurnShareARunAndEachKnowsItsTime) {
  ArrivalTimes times;
  for (int i = 0; i < 500; ++i) times.add(start);
  for (int i = 0; i < 500; ++i) times.add(start + 1ms);
  EXPECT_EQ(times.runs(), 2U);
  for (int i = 0; i < 500; ++i) times.remove();
  EXPECT_EQ(times.front(), start + 1ms);
  for (int i = 0; i < 500; ++i) times.remove();
  EXPECT_TRUE(times.is_empty());
}

TEST(ArrivalTimes, ALongFifoTakesLittleAndIsRightToA64thOfItsAge) {
  Random random(1);
  ArrivalTimes times;
  std::deque<MonoTime> exact;
  MonoTime now = start;
  std::size_t most = 0;
  for (int i = 0; i < 300'000; ++i) {
    now += Duration(static_cast<Duration::rep>(random.below(600'000'000)));
    times.add(now);
    exact.push_back(now);
    // It grows to a day, and then stays.
    if (now - exact.front() > 24h || random.chance(0.1)) {
      times.remove();
      exact.pop_front();
    }
    most = std::max(most, times.runs());
    if (exact.empty()) continue;
    ASSERT_LE(times.front(), exact.front());
    ASSERT_LE((exact.front() - times.front()) * (ArrivalTimes::resolution - 2),
              now - exact.front() + 1s);
  }
  EXPECT_LE(most, 2000U);
}

TEST(ArrivalTimes, ATimeThatGoesBackCountsAsTheOneBefore) {
  ArrivalTimes times;
  times.add(start);
  times.add(start + 1s);
  times.add(start - 1h);
  times.remove();
  EXPECT_EQ(times.front(), start + 1s);
  times.remove();
  EXPECT_EQ(times.front(), start + 1s);
}

TEST(EventQueue, KnowsWhenTheOldestCameWhateverItsPriority) {
  EventQueue queue({1000, 1U << 20U});
  EXPECT_EQ(queue.oldest(), never);
  queue.push(test::numbered_record(), proto::Priority::low, start);
  queue.push(test::numbered_record(), proto::Priority::high, start + 1s);
  EXPECT_EQ(queue.oldest(), start);
  EXPECT_EQ(queue.front_arrived(), start + 1s) << "it is its turn";
  queue.take();
  EXPECT_EQ(queue.front_arrived(), start);
  EXPECT_EQ(queue.held().events, 2U);
  queue.clear();
  EXPECT_EQ(queue.oldest(), never);
}

}  // namespace
}  // namespace outrider::sidecar
