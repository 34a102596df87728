// Peers of a fan-out socket that send what no subscriber and no worker sends.
#include <string>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

#include "sidecar/net/socket_gate.hpp"
#include "unit/fanout/zmq_fixture.hpp"

namespace outrider::sidecar {
namespace {

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
  expect_that_only_others_lose(healthy);
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

}  // namespace
}  // namespace outrider::sidecar
