#include "sidecar/fanout/zmq_transport.hpp"

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <zmq.h>

#include "sidecar/base/socket_gate.hpp"
#include "sidecar/base/time_left.hpp"
#include "support/memory_log.hpp"
#include "support/temp_dir.hpp"
#include "support/zmtp_client.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

struct ZmqClose {
  void operator()(void* socket) const { zmq_close(socket); }
};
using Socket = std::unique_ptr<void, ZmqClose>;

struct ZmqTerm {
  void operator()(void* context) const { zmq_ctx_term(context); }
};

struct Message {
  std::string topic;
  std::string event;
  bool operator==(const Message&) const = default;
};

/// A body of ndjson with what an attempt says about it.
class Batch {
 public:
  Batch(std::size_t events, std::size_t event_bytes, const std::string& topic = "orders.paid") {
    for (std::size_t i = 0; i < events; ++i) add(topic, std::string(event_bytes, 'x'));
  }
  void add(const std::string& topic, const std::string& event) {
    topics_text_.push_back(std::make_unique<std::string>(topic));
    topics_.emplace_back(*topics_text_.back());
    body_ += event + '\n';
    ends_.push_back(static_cast<std::uint32_t>(body_.size()));
  }
  Attempt attempt(AttemptId id) const { return {id, body_, &ends_, &topics_, "batch"}; }

 private:
  std::string body_;
  std::vector<std::uint32_t> ends_;
  std::vector<std::unique_ptr<std::string>> topics_text_;
  std::vector<std::string_view> topics_;
};

class ZmqTransportTest : public testing::Test {
 protected:
  ZmqTransportTest() {
    zmq_ctx_set(context_.get(), ZMQ_THREAD_NAME_PREFIX, SocketGate::thread_name_prefix);
  }

  std::string open(ZmqPattern pattern, bool bind = true, std::string url = "") {
    config_.name = "fan";
    config_.zmq_pattern = pattern;
    config_.zmq_bind = bind;
    config_.format = BodyFormat::ndjson;
    config_.urls = {url.empty() ? url_ : url};
    Result<std::unique_ptr<Transport>> made =
        make_zmq_transport(config_, context_.get(), reactor_, log_);
    if (!made.ok()) return made.error().message;
    transport_ = std::move(made.value());
    return "";
  }

  Socket peer(int type, int high_water_mark = 1000, bool bind = false) {
    Socket socket(zmq_socket(peers_.get(), type));
    set(socket, ZMQ_RCVHWM, high_water_mark);
    set(socket, ZMQ_LINGER, 0);
    EXPECT_EQ(bind ? zmq_bind(socket.get(), url_.c_str()) : zmq_connect(socket.get(), url_.c_str()),
              0);
    return socket;
  }

  /// A subscriber whose subscription has arrived.
  Socket subscriber(const std::string& topic, int high_water_mark = 1000) {
    Socket socket = peer(ZMQ_SUB, high_water_mark);
    zmq_setsockopt(socket.get(), ZMQ_SUBSCRIBE, topic.data(), topic.size());
    set(socket, ZMQ_RCVTIMEO, 5);
    // Events until one comes back at once: then nothing is on its way any more.
    const std::string probe = topic + "probe";
    std::string event;
    for (int i = 0; i < 6000 && (event.empty() || receive(socket).event != event); ++i) {
      event = std::to_string(i);
      Batch batch(0, 0);
      batch.add(probe, event);
      send(batch);
    }
    set(socket, ZMQ_RCVTIMEO, 20'000);
    return socket;
  }

  /// The transport ends the connection of whoever sends that. libzmq reads on as the transport
  /// takes note of what has come.
  bool ends_after(const test::ZmtpClient& peer, std::string bytes) {
    bool has_ended = false;
    for (int i = 0; i < 20'000 && !has_ended; ++i) {
      const ssize_t sent = bytes.empty() ? 0 : peer.write_some(bytes);
      if (sent > 0) bytes.erase(0, static_cast<std::size_t>(sent));
      finish_one(milliseconds(1));
      has_ended = peer.wait_for_end(0);
    }
    return has_ended;
  }

  static std::string subscription(bool is_command, const std::string& topic) {
    if (!is_command) return test::ZmtpClient::part('\1' + topic, false);
    const std::string body = "\x09SUBSCRIBE" + topic;
    return {'\4' + std::string(1, static_cast<char>(body.size())) + body};
  }

  static void set(const Socket& socket, int option, int value) {
    zmq_setsockopt(socket.get(), option, &value, sizeof value);
  }

  static Message receive(const Socket& socket) {
    std::string topic(100, '\0');
    std::string event(100'000, '\0');
    const int topic_bytes = zmq_recv(socket.get(), topic.data(), topic.size(), 0);
    if (topic_bytes < 0) return {};
    const int event_bytes = zmq_recv(socket.get(), event.data(), event.size(), 0);
    topic.resize(static_cast<std::size_t>(topic_bytes));
    event.resize(static_cast<std::size_t>(event_bytes));
    return {topic, event};
  }

  /// One completion, or that of id 0 when `patience` is over. Sleeps on the reactor alone.
  Completion finish_one(Duration patience = seconds(30)) {
    const MonoTime deadline = clock_.now().mono + patience;
    for (;;) {
      transport_->collect(clock_.now(), done_);
      const MonoTime now = clock_.now().mono;
      if (!done_.empty() || now >= deadline) break;
      reactor_.wait(time_left(std::min(transport_->next_deadline(), deadline), now));
    }
    if (done_.empty()) return {};
    Completion completion = done_.front();
    done_.erase(done_.begin());
    return completion;
  }

  Completion send(const Batch& batch) {
    transport_->start(batch.attempt(1), {});
    return finish_one();
  }

  test::TempDir dir_;
  const std::string url_ = "ipc://" + dir_.file("s.sock");
  SystemClock clock_;
  Reactor reactor_;
  test::MemoryLog log_;
  DestinationConfig config_;
  std::unique_ptr<void, ZmqTerm> peers_{zmq_ctx_new()};
  std::unique_ptr<void, ZmqTerm> context_{zmq_ctx_new()};
  std::unique_ptr<Transport> transport_;
  std::vector<Completion> done_;
};

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
  EXPECT_EQ(completion.result, AttemptResult::sent_some);
  EXPECT_EQ(completion.events_sent, events);
  EXPECT_GT(completion.events_lost, 0U);
  std::uint32_t received = 0;
  while (received < events - completion.events_lost && !receive(stopped).topic.empty()) ++received;
  EXPECT_EQ(received + completion.events_lost, events);
  set(stopped, ZMQ_RCVTIMEO, 20);
  EXPECT_EQ(receive(stopped), Message{});
}

TEST_F(ZmqTransportTest, ASlowSubscriberDoesNotStarveAHealthyOne) {
  config_.zmq_send_events_max = 10;
  ASSERT_EQ(open(ZmqPattern::pub), "");
  const Socket stopped = subscriber("orders.", 10);
  const Socket healthy = subscriber("orders.", 10);
  const Batch batch(1, 20'000);
  std::uint32_t lost = 0;
  for (int i = 0; i < 300; ++i) {
    lost += send(batch).events_lost;
    ASSERT_EQ(receive(healthy).topic, "orders.paid") << i;
  }
  EXPECT_GT(lost, 0U);
}

/// Peers may send anything upstream: it must cost neither events nor memory.
TEST_F(ZmqTransportTest, APeerThatTalksUpstreamCostsOthersNothing) {
  config_.zmq_send_events_max = 10;
  ASSERT_EQ(open(ZmqPattern::pub), "");
  const Socket stopped = subscriber("orders.", 10);
  const Socket healthy = subscriber("orders.", 10);
  const Socket talker = peer(ZMQ_XSUB, 10);
  set(talker, ZMQ_SNDTIMEO, 20'000);
  const std::string longest(60'000, 'x');
  for (int i = 0; i < 200; ++i) {
    // Chatter, and the end of subscriptions that are not the talker's.
    ASSERT_GE(zmq_send(talker.get(), longest.data(), longest.size(), 0), 0);
    ASSERT_GE(zmq_send(talker.get(), std::string("\0orders.", 8).data(), 8, 0), 0);
    finish_one(Duration::zero());
  }
  const Batch batch(1, 20'000);
  std::uint32_t lost = 0;
  for (int i = 0; i < 300; ++i) {
    lost += send(batch).events_lost;
    ASSERT_EQ(receive(healthy).topic, "orders.paid") << i;
  }
  EXPECT_GT(lost, 0U);
}

/// libzmq keeps a tree of what a peer subscribes to, with a node for each byte.
TEST_F(ZmqTransportTest, APeerThatSubscribesToTooMuchIsCutOff) {
  ASSERT_EQ(open(ZmqPattern::pub), "");
  const Socket healthy = subscriber("orders.");
  const auto before = SocketGate::counts().oversubscribed;
  for (const std::string_view kind : {"message", "command", "long"}) {
    SCOPED_TRACE(kind);
    const test::ZmtpClient greedy(dir_.file("s.sock"));
    ASSERT_TRUE(greedy.greet("SUB"));
    std::string bytes;
    for (int i = 0; i < (kind == "long" ? 1 : 10'000); ++i) {
      std::string topic = "topic" + std::to_string(i);
      if (kind == "long") topic.resize(subscription_bytes_max + 1);
      bytes += subscription(kind == "command", topic);
    }
    EXPECT_TRUE(ends_after(greedy, std::move(bytes)));
  }
  EXPECT_EQ(SocketGate::counts().oversubscribed, before + 3);
  EXPECT_EQ(send(Batch(1, 10)).result, AttemptResult::sent);
  EXPECT_EQ(receive(healthy).topic, "orders.paid");
}

/// libzmq would follow it on our thread for as long as it goes on.
TEST_F(ZmqTransportTest, APeerThatSubscribesOverAndOverHoldsNobodyUp) {
  ASSERT_EQ(open(ZmqPattern::pub), "");
  std::string bytes;
  for (int i = 0; i < 1000; ++i) {
    const std::string topic = std::string(240, static_cast<char>('a' + i % 26)) + std::to_string(i);
    bytes += test::ZmtpClient::part('\1' + topic, false);
    bytes += test::ZmtpClient::part('\0' + topic, false);
  }
  std::atomic<bool> is_enough = false;
  std::atomic<bool> was_held_up = false;
  std::thread flood([&] {
    const test::ZmtpClient greedy(dir_.file("s.sock"));
    const MonoTime deadline = SystemClock().now().mono + seconds(20);
    ASSERT_TRUE(greedy.greet("SUB"));
    while (!is_enough && greedy.write_all(bytes)) {
      was_held_up = SystemClock().now().mono > deadline;
      if (was_held_up) break;
    }
  });
  const Socket healthy = subscriber("orders.");
  for (int i = 0; i < 1000; ++i) finish_one(Duration::zero());
  EXPECT_EQ(send(Batch(1, 10)).result, AttemptResult::sent);
  EXPECT_EQ(receive(healthy).topic, "orders.paid");
  EXPECT_FALSE(was_held_up);
  is_enough = true;
  // What it waits to write is read, or its connection ends.
  transport_.reset();
  flood.join();
}

struct Talk {
  ZmqPattern pattern;
  std::string bytes;
};

/// Whom we connect to has no more leave than who connects to us.
TEST_F(ZmqTransportTest, WhomItConnectsToIsCutOffForTooMuch) {
  using test::ZmtpClient;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t address_bytes = sizeof address;
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener, name, sizeof address), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(getsockname(listener, name, &address_bytes), 0);
  const std::string port = ":" + std::to_string(ntohs(address.sin_port));
  const std::string part = ZmtpClient::part(std::string(60'000, 'x'), true);
  const std::string command = ZmtpClient::command("SUBSCRIBE", std::string(64'000, 'x'));
  const auto before = SocketGate::counts().made_cut_off;
  const std::vector<Talk> talks = {{ZmqPattern::pub, part + part},
                                   {ZmqPattern::pub, command},
                                   {ZmqPattern::push, part},
                                   {ZmqPattern::push, ZmtpClient::part("", true)},
                                   {ZmqPattern::push, subscription(true, "orders.")}};
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    for (const Talk& talk : talks) {
      SCOPED_TRACE(host + " is sent " + std::to_string(talk.bytes.size()) + " bytes");
      const std::string url = "tcp://" + host + port;
      ASSERT_EQ(open(talk.pattern, false, url), "");
      const ZmtpClient peer(accept(listener, nullptr, nullptr));
      ASSERT_TRUE(peer.greet(talk.pattern == ZmqPattern::pub ? "SUB" : "PULL"));
      EXPECT_TRUE(ends_after(peer, talk.bytes));
      transport_.reset();
    }
  }
  EXPECT_EQ(SocketGate::counts().made_cut_off, before + 2 * talks.size());
  close(listener);
}

/// Nobody ever reads what a PULL socket sends upstream.
TEST_F(ZmqTransportTest, APullSocketThatSendsIsCutOff) {
  ASSERT_EQ(open(ZmqPattern::push), "");
  const auto before = SocketGate::counts().cut_off;
  for (const std::string& bytes :
       {test::ZmtpClient::part(std::string(60'000, 'x'), false), test::ZmtpClient::part("", true),
        subscription(true, "orders.")}) {
    const test::ZmtpClient talker(dir_.file("s.sock"));
    ASSERT_TRUE(talker.greet("PULL"));
    // It may be cut off before its last byte is out.
    static_cast<void>(talker.write_all(bytes));
    EXPECT_TRUE(talker.wait_for_end());
  }
  EXPECT_EQ(SocketGate::counts().cut_off, before + 3);
  const Socket puller = peer(ZMQ_PULL, 10);
  set(puller, ZMQ_RCVTIMEO, 20);
  // libzmq may give the first ones to those that are gone.
  std::size_t received = 0;
  for (int i = 0; i < 500 && received == 0; ++i) {
    EXPECT_EQ(send(Batch(1, 10)).result, AttemptResult::sent);
    received = receive(puller).event.size();
  }
  EXPECT_EQ(received, 10U);
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
    EXPECT_EQ(completion.events_lost, 0U);
    left -= completion.result == AttemptResult::sent ? left : completion.events_sent;
  }
  while (received < 500) {
    ASSERT_EQ(receive(puller).event.size(), 10'000U);
    ++received;
  }
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
  EXPECT_EQ(completion.detail, "no peer has taken an event within 30ms");
  EXPECT_EQ(transport_->next_deadline(), never);
}

/// libzmq itself never tries again after it.
TEST_F(ZmqTransportTest, FindsItsPeerWhereAnotherKindOfSocketWas) {
  for (const ZmqPattern pattern : {ZmqPattern::push, ZmqPattern::pub}) {
    const bool is_pub = pattern == ZmqPattern::pub;
    Socket other = peer(is_pub ? ZMQ_PULL : ZMQ_SUB, 10, true);
    ASSERT_EQ(open(pattern, false), "");
    const std::string line = std::string("something that is no ") + (is_pub ? "SUB" : "PULL") +
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
  EXPECT_EQ(turn_until("cannot be put back"), 1);
  reactor_.wait(seconds(2));
  ASSERT_TRUE(std::filesystem::remove(dir_.file("s.sock")));
  EXPECT_EQ(turn_until("it is back"), 1);
  EXPECT_EQ(log_.count("cannot be put back"), 1);
}

TEST_F(ZmqTransportTest, RefusesEndpointsThatCannotBe) {
  EXPECT_THAT(open(ZmqPattern::pub, true, "tcp://nonsense"), HasSubstr("cannot listen on tcp://"));
  EXPECT_THAT(open(ZmqPattern::pub, false, "nonsense"), HasSubstr("cannot connect to nonsense"));
}

}  // namespace
}  // namespace outrider::sidecar
