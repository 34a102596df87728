#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
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

constexpr std::uint64_t deliver_bytes_max = 64U << 10U;
constexpr auto destination_full = static_cast<std::uint64_t>(proto::Refusal::destination_full);
constexpr auto spool_full = static_cast<std::uint64_t>(proto::Refusal::spool_full);
constexpr auto frame_version = static_cast<std::uint64_t>(proto::Refusal::frame_version);
constexpr auto event_topic = static_cast<std::uint32_t>(proto::Refusal::event_topic);

/// What callbacks have been told, by the number of the event.
class Outcomes {
 public:
  auto of(std::size_t event) {
    return [this, event](Status status) {
      const std::lock_guard guard(mutex_);
      if (told_.size() <= event) told_.resize(event + 1);
      EXPECT_FALSE(told_[event].has_value()) << "event " << event << " is told twice";
      told_[event] = status;
      count_.add();
    };
  }
  std::optional<Status> at(std::size_t event) {
    const std::lock_guard guard(mutex_);
    return event < told_.size() ? told_[event] : std::nullopt;
  }
  std::size_t count() const { return count_.value(); }
  bool reach(std::size_t count) { return count_.reaches(count); }
  std::size_t count(Status status) {
    const std::lock_guard guard(mutex_);
    return static_cast<std::size_t>(std::count(told_.begin(), told_.end(), status));
  }

 private:
  std::mutex mutex_;
  std::vector<std::optional<Status>> told_;
  Counter count_;
};

void expect_all_accounted(Client& client) {
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.delivered, stats.confirmed_events + stats.refused_events + stats.expired_events +
                                 stats.unconfirmed_events + stats.rejected_deliveries);
}

class DeliverTest : public testing::Test {
 protected:
  static Options options(const std::string& endpoint) {
    Options options;
    options.confirm_endpoint = endpoint.c_str();
    options.deliver_bytes_max = deliver_bytes_max;
    options.reconnect_initial_ms = 5;
    options.reconnect_max_ms = 20;
    options.linger_ms = 100;
    return options;
  }

  /// Delivers events, each of which becomes a frame of its own because the one before was received.
  void deliver_frames(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(client.deliver("t", sent, outcomes.of(sent)), Status::ok);
      ++sent;
      ASSERT_TRUE(confirmer->receive(received_before + sent));
    }
  }
  const ConfirmedFrame& frame(std::size_t n) { return confirmer->frames.at(n); }
  bool are_told(std::size_t count) { return outcomes.reach(count) && outcomes.count() == count; }

  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  std::unique_ptr<Confirmer> confirmer = std::make_unique<Confirmer>(endpoint);
  Outcomes outcomes;
  std::size_t sent = 0;
  std::size_t received_before = 0;
  Client client{options(endpoint)};
};

TEST_F(DeliverTest, FutureIsReadyWhenTheSidecarHasConfirmed) {
  std::future<Status> future = client.deliver("orders.paid", {{"amount", 49.99}}, {.key = "k"});
  ASSERT_TRUE(confirmer->receive(1));
  EXPECT_EQ(frame(0).sequence, 1U);
  EXPECT_EQ(frame(0).datas.size(), 1U);
  EXPECT_EQ(future.wait_for(0ms), std::future_status::timeout);
  outrider_stats stats = client.stats();
  EXPECT_EQ(stats.delivered, 1U);
  EXPECT_EQ(stats.unconfirmed_events, 1U);
  EXPECT_GT(stats.unconfirmed_bytes, 0U);
  EXPECT_EQ(stats.confirm_connected, 1);
  EXPECT_EQ(stats.emitted, 0U);

  confirmer->answer(frame(0));
  EXPECT_EQ(future.get(), Status::ok);
  stats = client.stats();
  EXPECT_EQ(stats.confirmed_events, 1U);
  EXPECT_EQ(stats.unconfirmed_events, 0U);
  EXPECT_EQ(stats.unconfirmed_bytes, 0U);
}

TEST_F(DeliverTest, FramesGrowWhileTheirAnswersAreOut) {
  deliver_frames(sdk::SendWindow::frames_in_flight_max);
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(client.deliver("t", sent, outcomes.of(sent)), Status::ok);
    ++sent;
  }
  EXPECT_FALSE(confirmer->receive_frame(20ms)) << "more frames without an answer than allowed";
  confirmer->answer(frame(0));
  ASSERT_TRUE(confirmer->receive(sdk::SendWindow::frames_in_flight_max + 1));
  EXPECT_EQ(confirmer->frames.back().datas.size(), 500U);
  for (std::size_t i = 1; i < confirmer->frames.size(); ++i) confirmer->answer(frame(i));
  EXPECT_TRUE(are_told(sent));
  EXPECT_EQ(outcomes.count(Status::ok), sent);
}

TEST_F(DeliverTest, AnswersMayComeInAnyOrderAndMoreThanOnce) {
  deliver_frames(4);
  for (const std::size_t n : {2U, 2U, 0U, 3U, 0U}) confirmer->answer(frame(n));
  ASSERT_TRUE(are_told(3));
  EXPECT_EQ(outcomes.at(1), std::nullopt);
  EXPECT_FALSE(client.flush(0ms));
  confirmer->answer(frame(1));
  EXPECT_TRUE(client.flush(patience));
  EXPECT_EQ(outcomes.count(Status::ok), 4U);
  expect_all_accounted(client);
}

TEST_F(DeliverTest, WhatIsNoAnswerConfirmsNothing) {
  deliver_frames(2);
  const std::string& peer = frame(0).peer;
  for (const std::string& garbage :
       {std::string(), std::string("garbage"), std::string(100'000, '\xdd'),
        proto::write_confirm_answer({.sequence = 3}),
        proto::write_confirm_answer({.sequence = UINT64_MAX}),
        proto::write_confirm_answer({.sequence = 1, .refused = {{1, event_topic}}})}) {
    confirmer->send(peer, garbage);
  }
  confirmer->answer(frame(1));
  ASSERT_TRUE(are_told(1));
  EXPECT_EQ(outcomes.at(1), Status::ok);
  confirmer->answer(frame(0));
  EXPECT_TRUE(are_told(2));
}

TEST_F(DeliverTest, RefusedEventsAreToldApart) {
  deliver_frames(sdk::SendWindow::frames_in_flight_max);
  for (int i = 0; i < 5; ++i, ++sent) client.deliver("t", sent, outcomes.of(sent));
  const std::size_t first = sent - 5;
  confirmer->answer(frame(0), frame_version);
  ASSERT_TRUE(are_told(1));
  EXPECT_EQ(outcomes.at(0), Status::refused);
  ASSERT_TRUE(confirmer->receive(first + 1));
  ASSERT_EQ(confirmer->frames.back().datas.size(), 5U);
  confirmer->answer(confirmer->frames.back(), 0, {{0, event_topic}, {3, 31}});
  ASSERT_TRUE(are_told(6));
  EXPECT_EQ(outcomes.at(first), Status::refused);
  EXPECT_EQ(outcomes.at(first + 1), Status::ok);
  EXPECT_EQ(outcomes.at(first + 2), Status::ok);
  EXPECT_EQ(outcomes.at(first + 3), Status::refused);
  EXPECT_EQ(outcomes.at(first + 4), Status::ok);
  EXPECT_EQ(client.stats().refused_events, 3U);
  EXPECT_EQ(client.stats().confirmed_events, 3U);
  expect_all_accounted(client);
}

TEST_F(DeliverTest, NotNowIsTriedAgainWhileOthersGoOn) {
  deliver_frames(1);
  confirmer->answer(frame(0), spool_full);
  client.deliver("t", sent, outcomes.of(sent));
  ++sent;
  ASSERT_TRUE(confirmer->receive(2));
  EXPECT_EQ(frame(1).sequence, 2U);
  confirmer->answer(frame(1));
  ASSERT_TRUE(are_told(1));
  ASSERT_TRUE(confirmer->receive(3));
  EXPECT_EQ(frame(2).bytes, frame(0).bytes);
  EXPECT_EQ(frame(2).peer, frame(0).peer) << "that is no reason to reconnect";
  confirmer->answer(frame(2));
  ASSERT_TRUE(are_told(2));
  EXPECT_EQ(outcomes.count(Status::ok), 2U);
}

TEST_F(DeliverTest, SidecarThatComesBackGetsTheUnansweredFramesAgainInOrder) {
  deliver_frames(4);
  confirmer->answer(frame(1));
  confirmer->answer(frame(2), spool_full);
  ASSERT_TRUE(are_told(1));
  const std::vector<ConfirmedFrame> before = confirmer->frames;
  confirmer.reset();
  ASSERT_TRUE(eventually([&] { return client.stats().confirm_connected == 0; }));
  client.deliver("t", sent, outcomes.of(sent));
  ++sent;

  confirmer = std::make_unique<Confirmer>(endpoint);
  ASSERT_TRUE(confirmer->receive(4));
  EXPECT_EQ(frame(0).bytes, before[0].bytes);
  EXPECT_EQ(frame(1).bytes, before[2].bytes);
  EXPECT_EQ(frame(2).bytes, before[3].bytes);
  EXPECT_EQ(frame(3).sequence, 5U);
  EXPECT_EQ(frame(3).client_id, before[0].client_id);
  for (std::size_t i = 0; i < 4; ++i) confirmer->answer(frame(i));
  EXPECT_TRUE(client.flush(patience));
  EXPECT_EQ(outcomes.count(Status::ok), 5U);
}

TEST_F(DeliverTest, FullBufferIsAnAnswer) {
  confirmer.reset();
  while (client.deliver("t", sent, outcomes.of(sent)) == Status::ok) ++sent;
  EXPECT_GT(sent, 100U);
  EXPECT_EQ(client.deliver("t", 1).get(), Status::full);
  const auto begin = SteadyClock::now();
  EXPECT_EQ(client.deliver_wait(patience, "t", 1), Status::full);
  EXPECT_LT(SteadyClock::now() - begin, patience / 2);
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.delivered, sent + 3);
  EXPECT_EQ(stats.rejected_deliveries, 3U);
  EXPECT_EQ(stats.unconfirmed_events, sent);
  EXPECT_LE(stats.unconfirmed_bytes, deliver_bytes_max);
  EXPECT_EQ(outcomes.count(), 0U);

  confirmer = std::make_unique<Confirmer>(endpoint);
  Background sidecar([&] { confirm_next(*confirmer); });
  EXPECT_TRUE(client.flush(patience));
  EXPECT_EQ(outcomes.count(Status::ok), sent);
  EXPECT_EQ(client.deliver_wait(patience, "t", 1), Status::ok) << "there is room again";
  expect_all_accounted(client);
}

TEST_F(DeliverTest, WaitingTellsNotYetFromConfirmed) {
  EXPECT_EQ(client.deliver_wait(20ms, "t", {{"a", 1}}), Status::timeout);
  EXPECT_EQ(client.stats().unconfirmed_events, 1U);
  ASSERT_TRUE(confirmer->receive(1));
  confirmer->answer(frame(0));
  EXPECT_TRUE(client.flush(patience));
  EXPECT_EQ(client.stats().confirmed_events, 1U) << "it was confirmed when nobody waited any more";

  Background sidecar([&] { confirm_next(*confirmer); });
  EXPECT_EQ(client.deliver_wait(patience, "t", 2), Status::ok);
}

TEST_F(DeliverTest, WhatCannotBeDeliveredIsAnsweredAtOnce) {
  EXPECT_EQ(client.deliver("not a topic", 1).get(), Status::bad_topic);
  EXPECT_EQ(client.deliver("t", [](Writer& w) { w.map(2), w.field("a", 1); }).get(),
            Status::bad_data);
  EXPECT_EQ(client.deliver("t", [](Writer& w) { w.value(1), w.value(2); }).get(), Status::bad_data);
  EXPECT_EQ(client.deliver("t", std::string(deliver_bytes_max, 'x')).get(), Status::too_large);
  EXPECT_EQ(client.deliver("t", 1, {.at = std::chrono::system_clock::now(), .delay = 1s}).get(),
            Status::bad_attributes);
  EXPECT_EQ(client.deliver_wait(1s, "", 1), Status::bad_topic);
  EXPECT_EQ(client.deliver("t", 1, outcomes.of(0), {.delay = std::chrono::years(101)}),
            Status::bad_attributes);
  EXPECT_EQ(client.stats().rejected_deliveries, 7U);
  EXPECT_EQ(client.stats().emitted, 0U) << "emit counts its own";
  EXPECT_EQ(outcomes.count(), 0U);
  expect_all_accounted(client);
}

TEST_F(DeliverTest, DelayIsCountedFromNow) {
  const auto now = [] {
    return static_cast<std::uint64_t>(
        std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
  };
  constexpr std::uint64_t hour_ns = 3'600'000'000'000;
  const std::uint64_t before = now();
  client.deliver("t", 1, outcomes.of(0), {.delay = 1h});
  const std::uint64_t after = now();
  ASSERT_TRUE(confirmer->receive(1));
  EXPECT_GE(frame(0).at_ns[0], before + hour_ns);
  EXPECT_LE(frame(0).at_ns[0], after + hour_ns);
}

TEST_F(DeliverTest, CloseWaitsForConfirmations) {
  for (; sent < 100; ++sent) client.deliver("t", sent, outcomes.of(sent));
  Background sidecar([&] { confirm_next(*confirmer); });
  EXPECT_EQ(client.close(patience), Status::ok);
  EXPECT_EQ(outcomes.count(Status::ok), 100U);
  EXPECT_EQ(client.deliver("t", 1).get(), Status::closed);
  expect_all_accounted(client);
}

TEST_F(DeliverTest, WhatIsUnconfirmedAtTheEndIsTold) {
  deliver_frames(sdk::SendWindow::frames_in_flight_max);
  confirmer->answer(frame(1));
  ASSERT_TRUE(are_told(1));
  for (int i = 0; i < 10; ++i, ++sent) client.deliver("t", sent, outcomes.of(sent));
  client.deliver("t", 1, [](Status) { throw 1; });
  const auto begin = SteadyClock::now();
  EXPECT_EQ(client.close(30ms), Status::timeout);
  EXPECT_GE(SteadyClock::now() - begin, 30ms);
  EXPECT_EQ(outcomes.count(), sent);
  EXPECT_EQ(outcomes.count(Status::timeout), sent - 1);
  EXPECT_EQ(client.stats().expired_events, sent);
  EXPECT_EQ(client.stats().unconfirmed_events, 0U);
  expect_all_accounted(client);
  EXPECT_FALSE(client.flush(0ms)) << "what has expired was never confirmed";
}

TEST_F(DeliverTest, FunctionsMayDeliverAndEmit) {
  Counter chained;
  std::function<void(Status)> next = [&](Status) {
    client.emit("t", 1);
    chained.add();
    if (chained.value() < 10) client.deliver("t", chained.value(), std::ref(next));
  };
  Background sidecar([&] { confirm_next(*confirmer); });
  client.deliver("t", 0, std::ref(next));
  EXPECT_TRUE(chained.reaches(10));
  EXPECT_EQ(client.stats().emitted, 10U);
  client.close(0ms);
}

TEST_F(DeliverTest, WorksFromC) {
  int told = 0;
  const auto confirm = [](void* user, outrider_status status) {
    if (status == OUTRIDER_OK) ++*static_cast<int*>(user);
  };
  outrider_event event{};
  event.struct_bytes = sizeof event;
  event.topic = "t";
  event.topic_bytes = 1;
  event.data = "\x01";
  event.data_bytes = 1;
  Background sidecar([&] { confirm_next(*confirmer); });
  EXPECT_EQ(outrider_deliver(client.handle(), &event, confirm, &told), OUTRIDER_OK);
  EXPECT_EQ(outrider_deliver(client.handle(), &event, nullptr, nullptr), OUTRIDER_OK);
  EXPECT_EQ(outrider_deliver_wait(client.handle(), &event, 20'000), OUTRIDER_OK);
  EXPECT_EQ(outrider_flush(client.handle(), 20'000), OUTRIDER_OK);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(outrider_deliver(nullptr, &event, confirm, &told), OUTRIDER_INVALID_ARGUMENT);
  EXPECT_EQ(outrider_deliver_wait(client.handle(), nullptr, 1), OUTRIDER_INVALID_ARGUMENT);
  // A caller whose header ends before delay_ms.
  event.delay_ms = UINT64_MAX;
  event.struct_bytes = offsetof(outrider_event, delay_ms);
  EXPECT_EQ(outrider_deliver_wait(client.handle(), &event, 20'000), OUTRIDER_OK);
}

TEST(Deliver, LargeEventIsAFrameOfItsOwnAndOthersAreCut) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Options options;
  options.confirm_endpoint = endpoint.c_str();
  Client client(options);
  // All wait until there is a sidecar.
  const std::string text(10'000, 'y');
  for (int i = 0; i < 100; ++i) client.deliver("t", text);
  client.deliver("t", std::string(700'000, 'x'));
  client.deliver("t", 1);
  Confirmer confirmer(endpoint);
  Background sidecar([&] { confirm_next(confirmer); });
  EXPECT_TRUE(client.flush(patience));
  sidecar.stop();
  for (const ConfirmedFrame& frame : confirmer.frames) {
    const bool has_large = frame.datas[0].size() > 700'000;
    EXPECT_TRUE(has_large ? frame.datas.size() == 1
                          : frame.bytes.size() <= options.frame_bytes_max);
  }
  EXPECT_EQ(confirmer.frames.size(), 6U);
}

TEST(Deliver, WorksWithinTheProcess) {
  void* context = zmq_ctx_new();
  {
    Confirmer confirmer("inproc://confirm", context);
    Options options;
    options.confirm_endpoint = "inproc://confirm";
    options.zmq_context = context;
    Client client(options);
    Background sidecar([&] { confirm_next(confirmer); });
    EXPECT_EQ(client.deliver("t", 1).get(), Status::ok);
  }
  zmq_ctx_term(context);
}

TEST(Deliver, OptionsThatCannotWorkAreRefused) {
  Options options;
  options.confirm_endpoint = "ipc://";
  EXPECT_EQ(Client(options).status(), Status::invalid_argument);
  options.confirm_endpoint = nullptr;
  EXPECT_EQ(Client(options).status(), Status::invalid_argument);
  Options small;
  small.deliver_bytes_max = 1;
  EXPECT_EQ(Client(small).status(), Status::invalid_argument);
}

/// A courier with intervals of its own, without a client around it.
class CourierTest : public testing::Test {
 protected:
  sdk::CourierOptions options() {
    sdk::CourierOptions options;
    options.link = {.kind = sdk::LinkKind::dealer,
                    .endpoint = folder.endpoint(),
                    .send_frames_max = 100,
                    .reconnect_initial_ms = 5,
                    .reconnect_max_ms = 20};
    options.bytes_max = 4U << 20U;
    options.frame_bytes_max = 64U << 10U;
    return options;
  }
  static outrider_status deliver(sdk::Courier& courier) {
    const std::string event("\x93\xa1t\x00\x01", 5);
    const std::array pieces{proto::as_bytes(event)};
    return courier.deliver(pieces, {});
  }
  static void close(sdk::Courier& courier) {
    courier.close(SteadyClock::now());
    courier.close_wait();
  }

  ScratchFolder folder;
  std::unique_ptr<Confirmer> confirmer = std::make_unique<Confirmer>(folder.endpoint());
};

TEST_F(CourierTest, ConnectionThatNeverAnswersIsReplaced) {
  sdk::CourierOptions quick = options();
  quick.window.answer_timeout = 20ms;
  sdk::Courier courier(quick);
  ASSERT_TRUE(courier.start());
  ASSERT_EQ(deliver(courier), OUTRIDER_OK);
  ASSERT_TRUE(confirmer->receive(2));
  EXPECT_EQ(confirmer->frames[0].bytes, confirmer->frames[1].bytes);
  EXPECT_NE(confirmer->frames[0].peer, confirmer->frames[1].peer);
  EXPECT_STREQ(courier.obstacle(), "the sidecar gave no answer in time; it may hang");
  Background sidecar([&] { confirm_next(*confirmer); });
  EXPECT_TRUE(courier.flush(SteadyClock::now() + patience));
  EXPECT_EQ(courier.counts().confirmed_events, 1U);
  close(courier);
}

TEST_F(CourierTest, ConnectionsInVainBecomeRare) {
  sdk::CourierOptions hasty = options();
  hasty.window.answer_timeout = 1ms;
  hasty.link.reconnect_initial_ms = 1;
  hasty.link.reconnect_max_ms = 60'000;
  sdk::Courier courier(hasty);
  ASSERT_TRUE(courier.start());
  ASSERT_EQ(deliver(courier), OUTRIDER_OK);
  // Doubled from a millisecond, the pauses outgrow this one long before so many frames.
  constexpr std::size_t frames_max = 40;
  while (confirmer->frames.size() < frames_max && confirmer->receive_frame(300ms)) {
  }
  EXPECT_LT(confirmer->frames.size(), frames_max);
  close(courier);
}

TEST_F(CourierTest, FramesStayWithinTheWindowOfTheSidecar) {
  sdk::CourierOptions patient = options();
  patient.window.backoff_initial = patient.window.backoff_max = 1h;
  sdk::Courier courier(patient);
  ASSERT_TRUE(courier.start());
  for (std::uint64_t sequence = 1; sequence <= proto::confirm_window_frames; ++sequence) {
    ASSERT_EQ(deliver(courier), OUTRIDER_OK);
    ASSERT_TRUE(confirmer->receive(sequence));
    ASSERT_EQ(confirmer->frames.back().sequence, sequence);
    // The first one stays unanswered, and the window ends 4096 frames behind it.
    confirmer->answer(confirmer->frames.back(), sequence == 1 ? spool_full : 0);
  }
  ASSERT_EQ(deliver(courier), OUTRIDER_OK);
  EXPECT_FALSE(confirmer->receive_frame(50ms));
  EXPECT_EQ(courier.counts().unconfirmed_events, 2U);

  confirmer.reset();
  ASSERT_TRUE(eventually([&] { return !courier.is_connected(); }));
  confirmer = std::make_unique<Confirmer>(folder.endpoint());
  ASSERT_TRUE(confirmer->receive(1));
  EXPECT_EQ(confirmer->frames[0].sequence, 1U);
  confirmer->answer(confirmer->frames[0]);
  ASSERT_TRUE(confirmer->receive(2));
  EXPECT_EQ(confirmer->frames[1].sequence, proto::confirm_window_frames + 1);
  confirmer->answer(confirmer->frames[1]);
  EXPECT_TRUE(courier.flush(SteadyClock::now() + patience));
  close(courier);
}

TEST_F(CourierTest, WhatWasNeverSentIsNotWithTheSidecar) {
  confirmer.reset();
  sdk::Courier courier(options());
  ASSERT_TRUE(courier.start());
  ASSERT_EQ(deliver(courier), OUTRIDER_OK);
  close(courier);
  EXPECT_EQ(courier.counts().expired_events, 1U);
  EXPECT_EQ(courier.counts().unanswered_events, 0U);
}

TEST_F(CourierTest, WhatWasRefusedForNowIsNotWithTheSidecar) {
  sdk::CourierOptions patient = options();
  patient.window.backoff_initial = patient.window.backoff_max = 1h;
  // As a whole, and one by one.
  for (const bool is_whole : {true, false}) {
    sdk::Courier courier(patient);
    ASSERT_TRUE(courier.start());
    ASSERT_EQ(deliver(courier), OUTRIDER_OK);
    ASSERT_TRUE(confirmer->receive(confirmer->frames.size() + 1));
    EXPECT_EQ(courier.counts().unanswered_events, 1U);
    if (is_whole) {
      confirmer->answer(confirmer->frames.back(), spool_full);
    } else {
      confirmer->answer(confirmer->frames.back(), 0, {{0, destination_full}});
    }
    EXPECT_TRUE(eventually([&] { return courier.counts().unanswered_events == 0; }));
    close(courier);
    EXPECT_EQ(courier.counts().expired_events, 1U);
    EXPECT_EQ(courier.counts().unanswered_events, 0U);
  }
}

TEST_F(CourierTest, WhatAConnectionTookWithItMayBeWithTheSidecar) {
  sdk::Courier courier(options());
  ASSERT_TRUE(courier.start());
  ASSERT_EQ(deliver(courier), OUTRIDER_OK);
  ASSERT_TRUE(confirmer->receive(1));
  confirmer.reset();
  ASSERT_TRUE(eventually([&] { return !courier.is_connected(); }));
  EXPECT_EQ(courier.counts().unanswered_events, 1U);
  // Another sidecar, perhaps: its refusal says nothing of what the first one has.
  confirmer = std::make_unique<Confirmer>(folder.endpoint());
  ASSERT_TRUE(confirmer->receive(1));
  confirmer->answer(confirmer->frames[0], spool_full);
  ASSERT_TRUE(eventually([&] { return courier.last_refusal() == spool_full; }));
  EXPECT_EQ(courier.counts().unanswered_events, 1U);
  close(courier);
  EXPECT_EQ(courier.counts().unanswered_events, 1U);
}

TEST_F(CourierTest, HalvesOfARefusedFrameAreNotWithTheSidecar) {
  confirmer.reset();
  sdk::Courier courier(options());
  ASSERT_TRUE(courier.start());
  ASSERT_EQ(deliver(courier), OUTRIDER_OK);
  ASSERT_EQ(deliver(courier), OUTRIDER_OK);
  confirmer = std::make_unique<Confirmer>(folder.endpoint());
  ASSERT_TRUE(confirmer->receive(1));
  ASSERT_EQ(confirmer->frames[0].datas.size(), 2U);
  confirmer->answer(confirmer->frames[0], static_cast<std::uint64_t>(proto::Refusal::frame_copies));
  ASSERT_TRUE(confirmer->receive(3));
  confirmer->answer(confirmer->frames[1]);
  EXPECT_TRUE(eventually([&] { return courier.counts().confirmed_events == 1; }));
  EXPECT_EQ(courier.counts().unanswered_events, 1U);
  confirmer->answer(confirmer->frames[2], static_cast<std::uint64_t>(proto::Refusal::event_shape));
  EXPECT_TRUE(courier.flush(SteadyClock::now() + patience));
  EXPECT_EQ(courier.counts().unanswered_events, 0U);
  close(courier);
}

}  // namespace
}  // namespace outrider::test
