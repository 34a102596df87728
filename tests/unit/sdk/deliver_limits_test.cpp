// Every delivered event ends, whatever its size and however full a destination is, and none holds
// up the others.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "outrider/client.hpp"
#include "proto/refusal.hpp"
#include "sdk/src/courier.hpp"
#include "unit/sdk/confirmer.hpp"

namespace outrider::test {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr std::uint64_t number(proto::Refusal refusal) {
  return static_cast<std::uint64_t>(refusal);
}
constexpr auto full = static_cast<std::uint32_t>(proto::Refusal::destination_full);

/// An event of a topic of one letter, whose data is `bytes` of bin.
std::string event_of(char topic, std::uint8_t data, std::size_t bytes = 0) {
  std::string event{"\x93\xa1"};
  event += topic;
  event += '\0';
  if (bytes == 0) return event += static_cast<char>(data);
  event += static_cast<char>(0xc6);
  for (int shift = 24; shift >= 0; shift -= 8) event += static_cast<char>(bytes >> shift);
  return event += std::string(bytes, static_cast<char>(data));
}

class DeliverLimits : public testing::Test {
 protected:
  DeliverLimits() : courier(options(folder.endpoint())) { EXPECT_TRUE(courier.start()); }
  ~DeliverLimits() override {
    courier.close(SteadyClock::now());
    courier.close_wait();
  }

  static sdk::CourierOptions options(const std::string& endpoint) {
    sdk::CourierOptions options;
    options.link = {.kind = sdk::LinkKind::dealer,
                    .endpoint = endpoint,
                    .send_frames_max = 100,
                    .reconnect_initial_ms = 5,
                    .reconnect_max_ms = 20};
    options.bytes_max = 64U << 20U;
    options.frame_bytes_max = 64U << 10U;
    options.backoff_initial = 1ms;
    options.backoff_max = 2ms;
    return options;
  }

  outrider_status deliver(const std::string& event) {
    const std::array pieces{proto::as_bytes(event)};
    return courier.deliver(pieces, {count, this});
  }
  static void count(void* user, outrider_status status) {
    auto& self = *static_cast<DeliverLimits*>(user);
    if (status == OUTRIDER_OK) ++self.confirmed;
    if (status == OUTRIDER_REFUSED) ++self.refused;
  }
  /// Delivers events that travel in one frame, because the window is full until they are all there.
  void deliver_together(const std::vector<std::string>& events) {
    for (std::size_t i = 0; i < sdk::Courier::frames_in_flight_max; ++i) {
      ASSERT_EQ(deliver(event_of('z', 0)), OUTRIDER_OK);
      ASSERT_TRUE(confirmer.receive(i + 1));
    }
    for (const std::string& event : events) ASSERT_EQ(deliver(event), OUTRIDER_OK);
    for (const ConfirmedFrame& frame : confirmer.frames) confirmer.answer(frame);
    confirmer.frames.clear();
    ASSERT_TRUE(confirmer.receive(1));
    ASSERT_EQ(last().datas.size(), events.size());
    ASSERT_TRUE(eventually([&] { return confirmed == sdk::Courier::frames_in_flight_max; }));
    confirmed = 0;
  }
  const ConfirmedFrame& last() const { return confirmer.frames.back(); }
  bool next() { return confirmer.receive(confirmer.frames.size() + 1); }
  bool flush() { return courier.flush(SteadyClock::now() + patience); }

  ScratchFolder folder;
  Confirmer confirmer{folder.endpoint()};
  std::atomic<std::uint64_t> confirmed = 0;
  std::atomic<std::uint64_t> refused = 0;
  sdk::Courier courier;
};

TEST_F(DeliverLimits, AFrameThatIsTooLargeGoesAgainInSmallerOnes) {
  deliver_together({event_of('t', 0), event_of('t', 1), event_of('t', 2), event_of('t', 3)});
  const std::uint64_t first = last().sequence;
  confirmer.answer(last(), number(proto::Refusal::frame_too_large));
  std::vector<std::string> datas;
  while (datas.size() < 4) {
    ASSERT_TRUE(next());
    EXPECT_GT(last().sequence, first);
    const bool is_single = last().datas.size() == 1;
    if (is_single) datas.push_back(last().datas.front());
    confirmer.answer(last(), is_single ? 0 : number(proto::Refusal::frame_copies));
  }
  EXPECT_TRUE(flush());
  EXPECT_EQ(confirmed, 4U);
  std::sort(datas.begin(), datas.end());
  EXPECT_EQ(datas, (std::vector<std::string>{{'\0'}, "\1", "\2", "\3"}));
}

TEST_F(DeliverLimits, OneEventThatIsTooLargeIsRefusedAndItsNeighboursAreNot) {
  deliver_together({event_of('t', 0), event_of('t', 1), event_of('t', 2)});
  confirmer.answer(last(), number(proto::Refusal::frame_too_large));
  while (confirmed + refused < 3) {
    if (!confirmer.receive_frame(10ms)) continue;
    const bool has_large = std::count(last().datas.begin(), last().datas.end(), "\1") > 0;
    confirmer.answer(last(), has_large ? number(proto::Refusal::frame_too_large) : 0);
  }
  EXPECT_EQ(confirmed, 2U);
  EXPECT_EQ(refused, 1U);
  EXPECT_TRUE(flush());
}

TEST_F(DeliverLimits, LimitsAreAskedForBeforeTheFirstLargeFrame) {
  confirmer.limits = {.frame_bytes_max = 4U << 20U, .event_bytes_max = 3U << 20U};
  ASSERT_EQ(deliver(event_of('t', 1, 3U << 19U)), OUTRIDER_OK);
  ASSERT_EQ(deliver(event_of('t', 2, 20U << 20U)), OUTRIDER_OK) << "nobody knows yet";
  ASSERT_EQ(deliver(event_of('t', 3)), OUTRIDER_OK);
  ASSERT_TRUE(next());
  EXPECT_EQ(last().datas.size(), 0U);
  EXPECT_FALSE(confirmer.receive_frame(20ms)) << "the answer decides what may follow";
  confirmer.answer(last());
  ASSERT_TRUE(next());
  EXPECT_EQ(last().datas.at(0).size(), (3U << 19U) + 5);
  confirmer.answer(last());
  ASSERT_TRUE(next());
  EXPECT_EQ(last().datas.at(0), "\3");
  confirmer.answer(last());
  EXPECT_TRUE(flush());
  EXPECT_EQ(confirmed, 2U);
  EXPECT_EQ(refused, 1U);
  EXPECT_EQ(deliver(event_of('t', 2, 20U << 20U)), OUTRIDER_TOO_LARGE);
}

TEST_F(DeliverLimits, AFullDestinationHoldsUpItsOwnEventsAlone) {
  deliver_together({event_of('a', 1), event_of('b', 2), event_of('a', 3)});
  const std::uint64_t first = last().sequence;
  confirmer.answer(last(), 0, {{0, full}, {2, full}});
  ASSERT_TRUE(eventually([&] { return confirmed == 1; }));
  EXPECT_FALSE(courier.flush(SteadyClock::now()));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(next());
    EXPECT_EQ(last().datas, (std::vector<std::string>{"\1", "\3"}));
    EXPECT_GT(last().sequence, first);
    confirmer.answer(last(), 0, {{0, full}, {1, full}});
  }
  EXPECT_EQ(courier.counts().unconfirmed_events, 2U);
  EXPECT_EQ(courier.counts().last_refusal, full);
  // What is delivered meanwhile: b goes on, a waits in its order.
  ASSERT_EQ(deliver(event_of('a', 4)), OUTRIDER_OK);
  ASSERT_EQ(deliver(event_of('b', 5)), OUTRIDER_OK);
  std::vector<std::string> order;
  while (confirmed < 5) {
    if (!confirmer.receive_frame(10ms)) continue;
    for (const std::string& data : last().datas) {
      if (data != "\5") order.push_back(data);
    }
    confirmer.answer(last());
  }
  EXPECT_EQ(order, (std::vector<std::string>{"\1", "\3", "\4"}));
  EXPECT_TRUE(flush());
  EXPECT_EQ(refused, 0U);
}

TEST_F(DeliverLimits, AFullDestinationTakesHalfOfTheBudgetAtMost) {
  deliver_together({event_of('a', 1)});
  confirmer.answer(last(), 0, {{0, full}});
  ASSERT_TRUE(next());  // and stays unanswered
  constexpr std::size_t megabyte = 1U << 20U;
  std::size_t taken = 0;
  while (deliver(event_of('a', 1, megabyte)) == OUTRIDER_OK) ++taken;
  EXPECT_EQ(taken, 31U);
  EXPECT_EQ(deliver(event_of('b', 2)), OUTRIDER_OK);
  ASSERT_TRUE(next());
  EXPECT_EQ(last().datas.at(0), "\2");
}

TEST_F(DeliverLimits, AFrameThatWasTooEarlyAndIsTooLateIsNotLost) {
  ASSERT_EQ(deliver(event_of('t', 7)), OUTRIDER_OK);
  ASSERT_TRUE(next());
  confirmer.answer(last(), number(proto::Refusal::spool_full));
  ASSERT_TRUE(next());
  confirmer.answer(last(), number(proto::Refusal::frame_sequence_old));
  ASSERT_TRUE(next());
  EXPECT_EQ(last().sequence, 2U);
  EXPECT_EQ(last().datas.at(0), "\7");
  confirmer.answer(last());
  EXPECT_TRUE(flush());
  EXPECT_EQ(confirmed, 1U);
}

TEST_F(DeliverLimits, FramesHaveNoMoreEventsThanAnAnswerCanName) {
  std::vector<std::string> events(proto::refused_events_max + 1, event_of('t', 1));
  for (std::size_t i = 0; i < sdk::Courier::frames_in_flight_max; ++i) {
    ASSERT_EQ(deliver(event_of('z', 0)), OUTRIDER_OK);
    ASSERT_TRUE(next());
  }
  for (const std::string& event : events) ASSERT_EQ(deliver(event), OUTRIDER_OK);
  confirmer.answer(confirmer.frames.front());
  ASSERT_TRUE(next());
  EXPECT_EQ(last().datas.size(), proto::refused_events_max);
}

}  // namespace
}  // namespace outrider::test
