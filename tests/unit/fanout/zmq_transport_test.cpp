#include "sidecar/fanout/zmq_transport.hpp"

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "unit/fanout/zmq_fixture.hpp"

namespace outrider::sidecar {
namespace {

TEST_F(ZmqTransportTest, PublishesEachEventToThoseWhoSubscribe) {
  ASSERT_EQ(open(ZmqPattern::pub), "");
  const Socket orders = subscriber("orders.");
  const Socket users = subscriber("users.");
  Batch batch(0, 0);
  batch.add("orders.paid", "{\"n\":1}");
  batch.add("users.new", "{\"n\":2}");
  batch.add("orders.sent", "{\"n\":3}");
  const Completion completion = send(batch);
  EXPECT_EQ(completion.id, 1U);
  EXPECT_EQ(completion.result, AttemptResult::sent);
  EXPECT_EQ(receive(orders), (Message{"orders.paid", "{\"n\":1}"}));
  EXPECT_EQ(receive(orders), (Message{"orders.sent", "{\"n\":3}"}));
  EXPECT_EQ(receive(users), (Message{"users.new", "{\"n\":2}"}));
}

TEST_F(ZmqTransportTest, PublishesToNobody) {
  ASSERT_EQ(open(ZmqPattern::pub), "");
  EXPECT_EQ(send(Batch(10'000, 100)).result, AttemptResult::sent);
}

TEST_F(ZmqTransportTest, CountsWhatASubscriberAtItsMarkLoses) {
  config_.zmq_send_events_max = 10;
  ASSERT_EQ(open(ZmqPattern::pub), "");
  const Socket stopped = subscriber("orders.", 10);
  constexpr std::uint32_t events = 300;
  const Completion completion = send(Batch(events, 20'000));
  EXPECT_EQ(completion.result, AttemptResult::sent);
  const std::uint32_t taken = test::events_of(completion, EventFate::taken);
  const std::uint32_t lost = test::events_of(completion, EventFate::lost);
  EXPECT_EQ(taken + lost, events);
  EXPECT_GT(lost, 0U);
  std::uint32_t received = 0;
  while (received < taken && !receive(stopped).topic.empty()) ++received;
  EXPECT_EQ(received, taken);
  set(stopped, ZMQ_RCVTIMEO, 20);
  EXPECT_EQ(receive(stopped), Message{});
}

TEST_F(ZmqTransportTest, ASlowSubscriberDoesNotStarveAHealthyOne) {
  config_.zmq_send_events_max = 10;
  ASSERT_EQ(open(ZmqPattern::pub), "");
  const Socket stopped = subscriber("orders.", 10);
  const Socket healthy = subscriber("orders.", 10);
  expect_that_only_others_lose(healthy);
}

TEST_F(ZmqTransportTest, PushesEverythingThroughASlowPeer) {
  config_.zmq_send_events_max = 10;
  ASSERT_EQ(open(ZmqPattern::push), "");
  const Socket puller = peer(ZMQ_PULL, 10);
  set(puller, ZMQ_RCVTIMEO, 20'000);
  std::uint32_t left = 500;
  std::uint32_t received = 0;
  while (left > 0) {
    const Batch batch(left, 10'000);
    transport_->start(batch.attempt(left), {});
    Completion completion = finish_one(milliseconds(1));
    while (completion.id == 0) {
      // Nothing yet is no failure: the peer may still be connecting.
      set(puller, ZMQ_RCVTIMEO, 20);
      if (receive(puller).event.size() == 10'000U) ++received;
      set(puller, ZMQ_RCVTIMEO, 20'000);
      completion = finish_one(milliseconds(1));
    }
    ASSERT_NE(completion.result, AttemptResult::failed) << completion.detail;
    EXPECT_EQ(test::events_of(completion, EventFate::lost), 0U);
    left = test::events_of(completion, EventFate::untried);
  }
  while (received < 500) {
    ASSERT_EQ(receive(puller).event.size(), 10'000U);
    ++received;
  }
}

TEST_F(ZmqTransportTest, LittleIsEntrustedToAWorkerThatDoesNotRead) {
  ASSERT_EQ(open(ZmqPattern::push), "");
  const Socket stopped = peer(ZMQ_PULL, 1);
  constexpr std::uint32_t event_bytes = 1000;
  ASSERT_EQ(send(Batch(1, event_bytes)).result, AttemptResult::sent);
  const Completion completion = send(Batch(5000, event_bytes));
  EXPECT_GT(test::events_of(completion, EventFate::untried), 0U);
  EXPECT_LE(transport_->held(), zmq_events_a_peer(config_));
  // And what the kernel has, and the worker's own connection.
  EXPECT_LT(test::events_of(completion, EventFate::taken), 200U + 512 * 1024 / event_bytes);
  // Nothing more is taken; the rest stays where it is.
  const Batch rest(10, event_bytes);
  transport_->start(rest.attempt(2), {});
  EXPECT_EQ(finish_one(milliseconds(50)).id, 0U);
}

/// What was sent of a batch is known when the time to stop is up, so that the rest can be kept.
TEST_F(ZmqTransportTest, ABatchSentInPartIsCompletedWhenNothingIsWaitedForAnyMore) {
  config_.zmq_send_events_max = 10;
  ASSERT_EQ(open(ZmqPattern::push), "");
  const Socket stopped = peer(ZMQ_PULL, 1);
  ASSERT_EQ(send(Batch(1, 10)).result, AttemptResult::sent);
  const Batch batch(5000, 1000);
  transport_->start(batch.attempt(1), {});
  const Now now = clock_.now();
  transport_->collect(now, done_);
  transport_->hurry(now);
  transport_->collect(now, done_);
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_[0].result, AttemptResult::sent);
  EXPECT_GT(test::events_of(done_[0], EventFate::taken), 0U);
  EXPECT_GT(test::events_of(done_[0], EventFate::untried), 0U);
}

TEST_F(ZmqTransportTest, KnowsWhatZeroMqHolds) {
  for (const ZmqPattern pattern : {ZmqPattern::push, ZmqPattern::pub}) {
    config_.zmq_send_events_max = 300;
    ASSERT_EQ(open(pattern), "");
    const bool is_pub = pattern == ZmqPattern::pub;
    const Socket slow = is_pub ? subscriber("orders.", 1) : peer(ZMQ_PULL, 1);
    const Completion completion = send(Batch(250, 20'000));
    ASSERT_EQ(completion.result, AttemptResult::sent);
    const std::uint32_t sent = 250 - test::events_of(completion, EventFate::untried);
    EXPECT_GT(transport_->held(), 0U);
    EXPECT_LE(transport_->held(), sent);
    for (std::uint32_t i = 0; i < sent; ++i) receive(slow);
    const MonoTime give_up = clock_.now().mono + seconds(20);
    while (transport_->held() > 0 && clock_.now().mono < give_up) finish_one(milliseconds(1));
    EXPECT_EQ(transport_->held(), 0U);
    transport_.reset();
  }
}

TEST_F(ZmqTransportTest, SaysThatAPeerHasGoneThatDidNotRead) {
  for (const ZmqPattern pattern : {ZmqPattern::push, ZmqPattern::pub}) {
    for (const bool bind : {true, false}) {
      const bool is_pub = pattern == ZmqPattern::pub;
      SCOPED_TRACE(std::string(is_pub ? "pub" : "push") + (bind ? " binds" : " connects"));
      Socket stopped;
      if (!bind) {
        stopped = peer(is_pub ? ZMQ_SUB : ZMQ_PULL, 1, true);
        if (is_pub) zmq_setsockopt(stopped.get(), ZMQ_SUBSCRIBE, "", 0);
      }
      ASSERT_EQ(open(pattern, bind), "");
      if (bind) stopped = is_pub ? subscriber("orders.", 1) : peer(ZMQ_PULL, 1);
      const Batch batch(100, 20'000);
      const MonoTime give_up = clock_.now().mono + seconds(20);
      // The first ones to a subscriber may go before it has subscribed, which it does when asked.
      while (transport_->held() == 0 && clock_.now().mono < give_up) {
        int events = 0;
        std::size_t bytes = sizeof events;
        zmq_getsockopt(stopped.get(), ZMQ_EVENTS, &events, &bytes);
        send(batch);
      }
      ASSERT_GT(transport_->held(), 0U);
      finish_one(Duration::zero());
      const std::string line =
          std::string(is_pub ? "a subscriber" : "a worker") + " disconnected; events on the way";
      EXPECT_EQ(log_.count(line), 0);
      stopped.reset();
      while (log_.count(line) == 0 && clock_.now().mono < give_up) finish_one(milliseconds(1));
      EXPECT_EQ(log_.count(line), 1);
      EXPECT_EQ(log_.count("events_in_zeromq_max=0"), 0);
      transport_.reset();
      log_.lines.clear();
    }
  }
}

TEST_F(ZmqTransportTest, SaysThatEventsGoToNobody) {
  ASSERT_EQ(open(ZmqPattern::pub), "");
  send(Batch(10, 100));
  finish_one(Duration::zero());
  EXPECT_EQ(log_.count("no subscriber for a fan-out's events; they reach nobody"), 1);
  const Socket orders = subscriber("orders.");
  finish_one(Duration::zero());
  EXPECT_EQ(log_.count("a fan-out's events have a subscriber again"), 1);
}

TEST_F(ZmqTransportTest, PushWaitsForAPeerAndThenGoesOn) {
  ASSERT_EQ(open(ZmqPattern::push, false), "");
  const Batch batch(3, 10);
  transport_->start(batch.attempt(7), {});
  EXPECT_EQ(finish_one(milliseconds(20)).id, 0U);
  const Socket puller = peer(ZMQ_PULL, 10, true);
  const Completion completion = finish_one();
  EXPECT_EQ(completion.id, 7U);
  EXPECT_EQ(completion.result, AttemptResult::sent);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(receive(puller).event.size(), 10U);
}

TEST_F(ZmqTransportTest, PushGivesUpAfterItsTimeoutAndForgetsWhatIsCancelled) {
  config_.timeout = milliseconds(30);
  ASSERT_EQ(open(ZmqPattern::push), "");
  const Batch batch(3, 10);
  transport_->start(batch.attempt(1), {});
  transport_->start(batch.attempt(2), {});
  transport_->cancel(1);
  const Completion completion = finish_one();
  EXPECT_EQ(completion.id, 2U);
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_EQ(completion.detail, "no peer accepted an event within 30ms");
  EXPECT_EQ(transport_->next_deadline(), never);
}

/// libzmq itself never tries again after it.
TEST_F(ZmqTransportTest, FindsItsPeerWhereAnotherKindOfSocketWas) {
  for (const ZmqPattern pattern : {ZmqPattern::push, ZmqPattern::pub}) {
    const bool is_pub = pattern == ZmqPattern::pub;
    Socket other = peer(is_pub ? ZMQ_PULL : ZMQ_SUB, 10, true);
    ASSERT_EQ(open(pattern, false), "");
    const std::string line = std::string("something other than a ") + (is_pub ? "SUB" : "PULL") +
                             " socket answers a fan-out";
    const MonoTime deadline = clock_.now().mono + seconds(60);
    while (log_.count(line) == 0 && clock_.now().mono < deadline) finish_one(milliseconds(50));
    EXPECT_EQ(log_.count(line), 1);
    other.reset();
    Socket right(zmq_socket(peers_.get(), is_pub ? ZMQ_SUB : ZMQ_PULL));
    set(right, ZMQ_LINGER, 0);
    set(right, ZMQ_RCVTIMEO, 10);
    if (is_pub) zmq_setsockopt(right.get(), ZMQ_SUBSCRIBE, "", 0);
    while (zmq_bind(right.get(), url_.c_str()) != 0 && clock_.now().mono < deadline) {
    }
    const Batch batch(1, 10);
    Message received;
    while (received.topic.empty() && clock_.now().mono < deadline) {
      transport_->start(batch.attempt(1), {});
      finish_one();
      received = receive(right);
    }
    EXPECT_EQ(received.event.size(), 10U);
    EXPECT_EQ(log_.count(line), 1);
    transport_.reset();
  }
}

TEST_F(ZmqTransportTest, LingersForWhatWasHandedOver) {
  config_.zmq_send_events_max = 1000;
  ASSERT_EQ(open(ZmqPattern::push), "");
  // With room for all: libzmq's receiver loses what it has no room for when the sender ends.
  const Socket puller = peer(ZMQ_PULL, 1000);
  set(puller, ZMQ_RCVTIMEO, 20'000);
  ASSERT_EQ(send(Batch(1, 10)).result, AttemptResult::sent);
  ASSERT_EQ(send(Batch(500, 10'000)).result, AttemptResult::sent);
  transport_->close(clock_.now().mono + seconds(20));
  transport_.reset();
  for (int i = 0; i < 501; ++i) ASSERT_FALSE(receive(puller).topic.empty()) << i;
}

TEST_F(ZmqTransportTest, DoesNotLingerForAPeerThatIsOwedNothing) {
  ASSERT_EQ(open(ZmqPattern::pub), "");
  const test::ZmtpClient pinger(dir_.file("s.sock"));
  ASSERT_TRUE(pinger.greet("SUB"));
  // More answers than the kernel holds, and nobody reads them.
  std::string pings;
  for (int i = 0; i < 1000; ++i) pings += test::ZmtpClient::command("PING", "\1\1");
  for (int i = 0; i < 200; ++i) {
    finish_one(Duration::zero());
    ASSERT_TRUE(pinger.write_all(pings));
  }
  const MonoTime begin = clock_.now().mono;
  transport_->close(begin + seconds(60));
  transport_.reset();
  context_.reset();
  EXPECT_LT(clock_.now().mono, begin + seconds(10));
}

/// The other end of a connection by name, which has a context of its own.
TEST_F(ZmqTransportTest, LingersForPeersByName) {
  config_.zmq_send_events_max = 1000;
  const Socket puller(zmq_socket(peers_.get(), ZMQ_PULL));
  set(puller, ZMQ_RCVTIMEO, 20'000);
  set(puller, ZMQ_LINGER, 0);
  ASSERT_EQ(zmq_bind(puller.get(), "tcp://127.0.0.1:*"), 0);
  char bound[256] = "";
  std::size_t bytes = sizeof bound;
  zmq_getsockopt(puller.get(), ZMQ_LAST_ENDPOINT, bound, &bytes);
  const std::string port = std::string(bound).substr(std::string("tcp://127.0.0.1").size());
  ASSERT_EQ(open(ZmqPattern::push, false, "tcp://localhost" + port), "");
  EXPECT_TRUE(has_own_context(config_));
  ASSERT_EQ(send(Batch(1, 10)).result, AttemptResult::sent);
  ASSERT_EQ(send(Batch(500, 10'000)).result, AttemptResult::sent);
  transport_->close(clock_.now().mono + seconds(20));
  transport_.reset();
  for (int i = 0; i < 501; ++i) ASSERT_FALSE(receive(puller).topic.empty()) << i;
}

TEST_F(ZmqTransportTest, HasAContextOfItsOwnOnlyWhereNamesAreLookedUp) {
  const auto has_own = [&](bool bind, std::vector<std::string> urls) {
    config_.zmq_bind = bind;
    config_.urls = std::move(urls);
    return has_own_context(config_);
  };
  EXPECT_TRUE(has_own(false, {"tcp://127.0.0.1:1", "tcp://a.example:1"}));
  EXPECT_FALSE(has_own(false, {"tcp://127.0.0.1:1", "tcp://[::1]:1", "ipc:///x"}));
  EXPECT_FALSE(has_own(false, {"inproc://x", "tcp://a.example:1"}));
  EXPECT_FALSE(has_own(true, {"tcp://localhost:1"}));
}

TEST_F(ZmqTransportTest, DoesNotStealASocket) {
  ASSERT_EQ(open(ZmqPattern::pub), "");
  EXPECT_THAT(open(ZmqPattern::pub), HasSubstr("another sidecar listens on"));
}

TEST_F(ZmqTransportTest, ASocketFileThatIsRemovedComesBack) {
  ASSERT_EQ(open(ZmqPattern::pub), "");
  const Socket early = subscriber("orders.");
  for (const char* const file : {"s.sock", "s.sock.lock"}) {
    ASSERT_TRUE(std::filesystem::remove(dir_.file(file)));
    const MonoTime give_up = clock_.now().mono + seconds(20);
    while (!std::filesystem::exists(dir_.file(file)) && clock_.now().mono < give_up) {
      reactor_.wait(seconds(1));
    }
    EXPECT_TRUE(std::filesystem::exists(dir_.file(file)));
  }
  EXPECT_GE(log_.count("endpoint=" + url_), 2);
  const Socket late = subscriber("late.");
  Batch batch(1, 10);
  batch.add("late.one", "x");
  EXPECT_EQ(send(batch).result, AttemptResult::sent);
  EXPECT_EQ(receive(early).topic, "orders.paid") << "who was connected stays so";
  EXPECT_EQ(receive(late).topic, "late.one");
}

TEST_F(ZmqTransportTest, ASocketFileThatCannotComeBackIsSaidOnce) {
  ASSERT_EQ(open(ZmqPattern::push), "");
  ASSERT_TRUE(std::filesystem::remove(dir_.file("s.sock")));
  std::filesystem::create_directory(dir_.file("s.sock"));
  const auto turn_until = [&](const char* line) {
    const MonoTime give_up = clock_.now().mono + seconds(20);
    while (log_.count(line) == 0 && clock_.now().mono < give_up) reactor_.wait(seconds(1));
    return log_.count(line);
  };
  EXPECT_EQ(turn_until("cannot be restored"), 1);
  reactor_.wait(seconds(2));
  ASSERT_TRUE(std::filesystem::remove(dir_.file("s.sock")));
  EXPECT_EQ(turn_until("it was restored"), 1);
  EXPECT_EQ(log_.count("cannot be restored"), 1);
}

TEST_F(ZmqTransportTest, RefusesEndpointsThatCannotBe) {
  EXPECT_THAT(open(ZmqPattern::pub, true, "tcp://nonsense"), HasSubstr("cannot listen on tcp://"));
  EXPECT_THAT(open(ZmqPattern::pub, false, "nonsense"), HasSubstr("cannot connect to nonsense"));
}

}  // namespace
}  // namespace outrider::sidecar
