// Every delivered event ends, whatever the sidecar can take of its frame.
#include <chrono>
#include <future>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "outrider/client.hpp"
#include "proto/refusal.hpp"
#include "unit/sdk/confirmer.hpp"

namespace outrider::test {
namespace {

using namespace std::chrono_literals;

constexpr auto frame_too_large = static_cast<std::uint64_t>(proto::Refusal::frame_too_large);
constexpr auto frame_copies = static_cast<std::uint64_t>(proto::Refusal::frame_copies);
constexpr auto event_unrouted = static_cast<std::uint32_t>(proto::Refusal::event_unrouted);
constexpr auto destination_full = static_cast<std::uint32_t>(proto::Refusal::destination_full);
constexpr proto::SaidLimits limits{.frame_bytes_max = 4U << 20U, .event_bytes_max = 1U << 20U};

void say_limits(Confirmer& confirmer, const ConfirmedFrame& frame, std::uint64_t status = 0) {
  confirmer.send(frame.peer, proto::write_confirm_answer({frame.sequence, status, {}, limits}));
}

class DeliverEndsTest : public testing::Test {
 protected:
  static Options options(const std::string& endpoint) {
    Options options;
    options.confirm_endpoint = endpoint.c_str();
    options.deliver_bytes_max = 64U << 20U;
    options.event_bytes_max = 32U << 20U;
    options.buffer_bytes_max = 128U << 20U;
    options.frame_bytes_max = 8U << 20U;
    options.reconnect_initial_ms = 5;
    options.reconnect_max_ms = 20;
    options.linger_ms = 100;
    return options;
  }
  /// So many events in one frame, which is the first: they wait until there is a sidecar.
  void deliver_one_frame(int count) {
    for (int i = 0; i < count; ++i) futures.push_back(client.deliver("t", i));
    confirmer = std::make_unique<Confirmer>(endpoint);
    ASSERT_TRUE(confirmer->receive(1));
    ASSERT_EQ(frame(0).datas.size(), static_cast<std::size_t>(count));
  }
  const ConfirmedFrame& frame(std::size_t n) { return confirmer->frames.at(n); }

  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client{options(endpoint)};
  std::unique_ptr<Confirmer> confirmer;
  std::vector<std::future<Status>> futures;
};

TEST_F(DeliverEndsTest, AnEventThatIsRefusedForNowGoesInANewFrame) {
  deliver_one_frame(4);
  confirmer->answer(frame(0), 0,
                    {{1, destination_full}, {2, event_unrouted}, {3, destination_full}});
  EXPECT_EQ(futures[0].get(), Status::ok);
  EXPECT_EQ(futures[2].get(), Status::refused);
  ASSERT_TRUE(confirmer->receive(2));
  EXPECT_EQ(frame(1).sequence, 2U);
  EXPECT_EQ(frame(1).datas, (std::vector{frame(0).datas[1], frame(0).datas[3]}));
  EXPECT_EQ(client.stats().unconfirmed_events, 2U);
  EXPECT_EQ(client.stats().last_refusal, destination_full);
  EXPECT_FALSE(client.flush(0ms)) << "two of the events have no end yet";
  confirmer->answer(frame(1));
  EXPECT_EQ(futures[1].get(), Status::ok);
  EXPECT_EQ(futures[3].get(), Status::ok);
  EXPECT_TRUE(client.flush(patience));
  EXPECT_EQ(client.stats().confirmed_events, 3U);
  EXPECT_EQ(client.stats().unconfirmed_bytes, 0U);
}

TEST_F(DeliverEndsTest, WhatIsPostponedAtTheEndIsTold) {
  deliver_one_frame(2);
  confirmer->answer(frame(0), 0, {{1, destination_full}});
  EXPECT_EQ(futures[0].get(), Status::ok);
  EXPECT_EQ(client.close(0ms), Status::timeout);
  EXPECT_EQ(futures[1].get(), Status::timeout);
  EXPECT_EQ(client.stats().expired_events, 1U);
}

TEST_F(DeliverEndsTest, AFrameThatIsTooMuchGoesInHalvesDownToTheEvent) {
  deliver_one_frame(5);
  Background sidecar([&] {
    static std::size_t answered = 0;
    if (answered == confirmer->frames.size() && !confirmer->receive_frame(10ms)) return;
    const ConfirmedFrame& next = confirmer->frames[answered++];
    // The last event is more than it ever takes, and two are more than it takes at once.
    const bool is_last = next.datas.back() == std::string("\x04");
    confirmer->answer(next, next.datas.size() > 1 || is_last ? frame_copies : 0);
  });
  for (int i = 0; i < 4; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), Status::ok);
  EXPECT_EQ(futures[4].get(), Status::refused);
  EXPECT_TRUE(client.flush(patience));
  EXPECT_EQ(client.stats().last_refusal, frame_copies);
}

TEST_F(DeliverEndsTest, LargeFramesWaitForTheLimitsAndKeepThem) {
  const std::string text(1'500'000, 'x');
  for (int i = 0; i < 4; ++i) futures.push_back(client.deliver("t", text));
  confirmer = std::make_unique<Confirmer>(endpoint);
  ASSERT_TRUE(confirmer->receive(1));
  EXPECT_TRUE(frame(0).datas.empty()) << "the question";
  EXPECT_FALSE(confirmer->receive_frame(20ms)) << "before its answer";
  confirmer->send(frame(0).peer,
                  proto::write_confirm_answer({frame(0).sequence, 0, {}, {4U << 20U, 2U << 20U}}));
  std::size_t events = 0;
  while (events < 4) {
    ASSERT_TRUE(confirmer->receive_frame(patience));
    EXPECT_LE(confirmer->frames.back().bytes.size(), 4U << 20U);
    events += confirmer->frames.back().datas.size();
    confirmer->answer(confirmer->frames.back());
  }
  for (auto& future : futures) EXPECT_EQ(future.get(), Status::ok);
  EXPECT_TRUE(client.flush(patience));
}

TEST_F(DeliverEndsTest, SmallLimitsAreKeptOnceTheyAreKnownAlsoByTheNextConnection) {
  constexpr std::size_t small = 8U << 10U;
  const std::string text(1'000, 'x');
  const auto deliver_some = [&] {
    for (int i = 0; i < 40; ++i) futures.push_back(client.deliver("t", text));
  };
  // Answers until all is confirmed, and says how many frames were larger than it takes.
  const auto confirm_all = [&] {
    std::size_t large = 0;
    std::size_t answered = confirmer->frames.size();
    while (client.stats().unconfirmed_events > 0) {
      if (answered == confirmer->frames.size() && !confirmer->receive_frame(10ms)) continue;
      const ConfirmedFrame& next = frame(answered++);
      const bool is_large = next.bytes.size() > small;
      large += is_large ? 1 : 0;
      confirmer->send(next.peer,
                      proto::write_confirm_answer(
                          {next.sequence, is_large ? frame_too_large : 0, {}, {small, small / 2}}));
    }
    return large;
  };
  deliver_some();
  confirmer = std::make_unique<Confirmer>(endpoint);
  EXPECT_EQ(confirm_all(), 1U) << "the first one, of which nobody knew";
  deliver_some();
  EXPECT_EQ(confirm_all(), 0U);
  confirmer.reset();
  deliver_some();
  confirmer = std::make_unique<Confirmer>(endpoint);
  EXPECT_EQ(confirm_all(), 0U) << "the next sidecar may be as the last one, and is asked";
  for (auto& future : futures) EXPECT_EQ(future.get(), Status::ok);
}

TEST_F(DeliverEndsTest, AnEventBeyondTheLimitsIsRefusedAndThenAtTheCall) {
  const std::string small = "s";
  const std::string huge(20'000'000, 'x');
  futures.push_back(client.deliver("t", small));
  futures.push_back(client.deliver("t", huge));
  confirmer = std::make_unique<Confirmer>(endpoint);
  Background sidecar([&] {
    if (confirmer->receive_frame(10ms)) say_limits(*confirmer, confirmer->frames.back());
  });
  EXPECT_EQ(futures[0].get(), Status::ok);
  EXPECT_EQ(futures[1].get(), Status::refused);
  EXPECT_EQ(client.stats().last_refusal, frame_too_large);
  EXPECT_EQ(client.deliver("t", huge).get(), Status::too_large);
  EXPECT_TRUE(client.flush(patience));
}

TEST_F(DeliverEndsTest, AFullDestinationTakesHalfOfTheBudgetAtMost) {
  futures.push_back(client.deliver("a", 1));
  confirmer = std::make_unique<Confirmer>(endpoint);
  ASSERT_TRUE(confirmer->receive(1));
  confirmer->answer(frame(0), 0, {{0, destination_full}});
  const std::string text(500'000, 'x');
  const auto is_of_a = [](const std::string& data) { return data.size() > 1; };
  Status status = Status::ok;
  const auto ignore = [](Status) {};
  std::size_t taken = 0;
  while ((status = client.deliver("a", text, ignore)) == Status::ok) {
    ++taken;
    // Each of them comes, again and again, and is refused; what came before goes round again.
    ASSERT_LT(taken, 200U);
    const std::size_t before = confirmer->frames.size();
    ASSERT_TRUE(confirmer->receive_frame(patience));
    for (std::size_t i = before; i < confirmer->frames.size(); ++i) {
      std::vector<proto::RefusedEvent> refused;
      for (std::uint32_t e = 0; e < frame(i).datas.size(); ++e)
        refused.push_back({e, destination_full});
      confirmer->answer(frame(i), 0, refused);
    }
  }
  EXPECT_EQ(status, Status::full);
  EXPECT_GT(client.stats().unconfirmed_bytes, 32U << 20U);
  std::future<Status> other = client.deliver("b", 2);
  Background sidecar([&] {
    if (!confirmer->receive_frame(10ms)) return;
    std::vector<proto::RefusedEvent> refused;
    const std::vector<std::string>& datas = confirmer->frames.back().datas;
    for (std::uint32_t e = 0; e < datas.size(); ++e) {
      if (is_of_a(datas[e])) refused.push_back({e, destination_full});
    }
    confirmer->answer(confirmer->frames.back(), 0, refused);
  });
  EXPECT_EQ(other.get(), Status::ok);
}

/// Has no room for topics a.*, and says so.
class FullForA {
 public:
  explicit FullForA(Confirmer& confirmer) : confirmer_(confirmer) {}
  void operator()() {
    if (!confirmer_.receive_frame(10ms)) return;
    const ConfirmedFrame& frame = confirmer_.frames.back();
    proto::ConfirmAnswer answer{.sequence = frame.sequence, .limits = limits};
    for (std::uint32_t i = 0; i < frame.datas.size(); ++i) {
      if (frame.datas[i].size() > 100) answer.refused.push_back({i, destination_full});
    }
    if (!answer.refused.empty()) answer.full = {{{"a.>"}, {}}};
    confirmer_.send(frame.peer, proto::write_confirm_answer(answer));
  }

 private:
  Confirmer& confirmer_;
};

class FullDestinationTest : public DeliverEndsTest {
 protected:
  static constexpr std::size_t budget = 2U << 20U;

  static Options small_budget(const std::string& endpoint) {
    Options small = options(endpoint);
    small.deliver_bytes_max = budget;
    return small;
  }
  Status deliver_to_a(int number) {
    return client.deliver("a." + std::to_string(number), std::string(20'000, 'x'), [](Status) {});
  }

  Client client{small_budget(endpoint)};
};

TEST_F(FullDestinationTest, TakesHalfOfTheBudgetThoughEachTopicIsANewOne) {
  confirmer = std::make_unique<Confirmer>(endpoint);
  Background sidecar(FullForA{*confirmer});
  int taken = 0;
  while (deliver_to_a(taken) == Status::ok && ++taken < 200) {
    // What is confirmed came after it.
    EXPECT_EQ(client.deliver("b.next", 1).get(), Status::ok);
  }
  EXPECT_GT(taken, 40);
  EXPECT_LE(client.stats().unconfirmed_bytes, budget / 2);
  EXPECT_EQ(client.deliver("b.new", 2).get(), Status::ok);
}

TEST_F(FullDestinationTest, LeavesRoomToOthersAlsoIfItGotAllOfTheBudget) {
  int taken = 0;
  while (deliver_to_a(taken) == Status::ok) ++taken;
  EXPECT_GT(taken, 90) << "nobody could know";
  confirmer = std::make_unique<Confirmer>(endpoint);
  Background sidecar(FullForA{*confirmer});
  ASSERT_TRUE(eventually([&] { return client.stats().last_refusal == destination_full; }));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.deliver("b." + std::to_string(i), i).get(), Status::ok);
  }
  EXPECT_EQ(deliver_to_a(taken), Status::full);
}

TEST_F(DeliverEndsTest, AFrameHasNoMoreEventsThanAnAnswerCanName) {
  for (std::size_t i = 0; i <= proto::refused_events_max; ++i) {
    futures.push_back(client.deliver("t", 1));
  }
  confirmer = std::make_unique<Confirmer>(endpoint);
  ASSERT_TRUE(confirmer->receive(2));
  EXPECT_EQ(frame(0).datas.size(), proto::refused_events_max);
  EXPECT_EQ(frame(1).datas.size(), 1U);
}

TEST_F(DeliverEndsTest, AFrameThatWasTooEarlyAndIsTooLateGoesAsANewOne) {
  deliver_one_frame(1);
  confirmer->answer(frame(0), static_cast<std::uint64_t>(proto::Refusal::spool_full));
  ASSERT_TRUE(confirmer->receive(2));
  confirmer->answer(frame(1), static_cast<std::uint64_t>(proto::Refusal::frame_sequence_old));
  ASSERT_TRUE(confirmer->receive(3));
  EXPECT_EQ(frame(2).sequence, 2U);
  EXPECT_EQ(frame(2).datas, frame(0).datas);
  confirmer->answer(frame(2));
  EXPECT_EQ(futures[0].get(), Status::ok);
}

}  // namespace
}  // namespace outrider::test
