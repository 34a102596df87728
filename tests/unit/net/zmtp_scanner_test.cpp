#include "sidecar/net/zmtp_scanner.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/zmtp_client.hpp"

namespace outrider::sidecar {
namespace {

using test::ZmtpClient;

bool scan(ZmtpScanner& scanner, const std::string& bytes) {
  return scanner.scan(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

class ZmtpScannerTest : public testing::Test {
 protected:
  ZmtpScannerTest() { EXPECT_TRUE(scan(ZmtpClient::hello("SUB"))); }

  bool scan(const std::string& bytes) { return sidecar::scan(scanner_, bytes); }
  bool scan_by_byte(const std::string& bytes) {
    for (const char byte : bytes) {
      if (!scan(std::string(1, byte))) return false;
    }
    return true;
  }
  static std::string subscribe(const std::string& topic) {
    return ZmtpClient::part('\1' + topic, false);
  }
  static std::string cancel(const std::string& topic) {
    return ZmtpClient::part('\0' + topic, false);
  }
  static std::string command(const std::string& name, const std::string& topic) {
    return ZmtpClient::command(name, topic);
  }

  ZmtpScanner scanner_{ScanLimits{64U << 10U, 16, 3}};
};

TEST_F(ZmtpScannerTest, CountsWhatIsLive) {
  EXPECT_TRUE(scan(subscribe("a") + subscribe("b") + command("SUBSCRIBE", "c")));
  EXPECT_TRUE(scan(subscribe("a") + command("SUBSCRIBE", "b"))) << "once more";
  EXPECT_TRUE(scan(cancel("a") + command("CANCEL", "b") + subscribe("d") + subscribe("")));
  EXPECT_TRUE(scan(cancel("never") + command("CANCEL", "a"))) << "what is not live";
  EXPECT_TRUE(scan(ZmtpClient::part("\2chatter", true) + ZmtpClient::part("", false)));
  EXPECT_FALSE(scan(subscribe("e")));
  EXPECT_EQ(scanner_.fault(), ZmtpScanner::Fault::oversubscribed);
}

TEST_F(ZmtpScannerTest, CountsCommandsAndPartsThatComeInPieces) {
  EXPECT_TRUE(scan_by_byte(command("SUBSCRIBE", "a") + ZmtpClient::part("\1b", true)));
  EXPECT_TRUE(scan_by_byte(ZmtpClient::part("\1c", false) + command("PING", "xx")));
  EXPECT_FALSE(scan_by_byte(command("SUBSCRIBE", "d")));
  EXPECT_EQ(scanner_.fault(), ZmtpScanner::Fault::oversubscribed);
}

TEST_F(ZmtpScannerTest, TakesTheLongestTopicAndNoLongerOne) {
  const std::string longest(subscription_bytes_max, 'x');
  EXPECT_TRUE(scan(subscribe(longest)));
  EXPECT_TRUE(scan(cancel(longest + 'x') + cancel(std::string(60'000, 'x'))));
  EXPECT_TRUE(scan(ZmtpClient::part('\2' + std::string(60'000, 'x'), false)));
  EXPECT_FALSE(scan(subscribe(longest + 'x')));
  EXPECT_EQ(scanner_.fault(), ZmtpScanner::Fault::oversubscribed);
}

TEST_F(ZmtpScannerTest, ACommandIsShortAndWholeAndWellMade) {
  const std::string most(command_bytes_max - 5, 'x');
  EXPECT_TRUE(scan(command("PING", "\1\1") + command("PONG", "") + command("NEWS", most)));
  for (const std::string& bad :
       {command("NEWS", most + 'x'), std::string("\4\0", 2), std::string("\4\1\5", 3),
        '\5' + command("NEWS", "").substr(1), command("PING", "x")}) {
    ZmtpScanner scanner(ScanLimits{64U << 10U, 16, 3});
    EXPECT_TRUE(sidecar::scan(scanner, ZmtpClient::hello("SUB")));
    EXPECT_FALSE(sidecar::scan(scanner, bad)) << bad;
  }
}

TEST(ZmtpScannerOfSocket, TakesMessagesAndSubscriptionsOnlyOfThoseThatSend) {
  const ScanLimits limits{
      .message_bytes_max = 1000, .subscriptions_max = 9, .sender_types = "SUB XSUB"};
  for (const std::string_view peer : {"SUB", "XSUB", "PULL", "PUB"}) {
    SCOPED_TRACE(peer);
    const bool sends = peer == "SUB" || peer == "XSUB";
    const auto takes = [&](const std::string& bytes) {
      ZmtpScanner scanner(limits);
      return scan(scanner, ZmtpClient::hello(peer) + bytes);
    };
    EXPECT_TRUE(takes(ZmtpClient::command("PING", "\1\1")));
    EXPECT_EQ(takes(ZmtpClient::part("", false)), sends);
    EXPECT_EQ(takes(ZmtpClient::part("\1x", false)), sends);
    EXPECT_EQ(takes(ZmtpClient::command("SUBSCRIBE", "x")), sends);
  }
}

/// The socket of another ZeroMQ peer: what it may be, and what it may send.
struct SocketCase {
  ScanLimits limits;
  std::string_view peer;
  bool takes_messages;
  bool takes_subscriptions;
};

TEST(ZmtpScannerOfSocket, TakesOfAPeerWhatItsKindSends) {
  const ScanLimits pull{.message_bytes_max = 1000, .peer_types = "PUSH"};
  const ScanLimits router{.message_bytes_max = 1000, .peer_types = "REQ DEALER ROUTER"};
  const ScanLimits push{.message_bytes_max = 0, .message_parts_max = 0, .peer_types = "PULL"};
  const ScanLimits pub{.message_bytes_max = 1000, .subscriptions_max = 9, .peer_types = "SUB XSUB"};
  for (const SocketCase& one :
       {SocketCase{pull, "PUSH", true, false}, SocketCase{router, "DEALER", true, false},
        SocketCase{router, "REQ", true, false}, SocketCase{push, "PULL", false, false},
        SocketCase{pub, "XSUB", true, true}}) {
    SCOPED_TRACE(one.peer);
    const auto takes = [&](std::string_view peer, const std::string& bytes) {
      ZmtpScanner scanner(one.limits);
      return scan(scanner, ZmtpClient::hello(peer) + bytes);
    };
    EXPECT_TRUE(takes(one.peer, ZmtpClient::command("PING", "\1\1")));
    EXPECT_EQ(takes(one.peer, ZmtpClient::part("x", false)), one.takes_messages);
    EXPECT_EQ(takes(one.peer, ZmtpClient::part("", false)), one.takes_messages);
    EXPECT_EQ(takes(one.peer, ZmtpClient::command("SUBSCRIBE", "x")), one.takes_subscriptions);
    EXPECT_EQ(takes(one.peer, ZmtpClient::command("CANCEL", "x")), one.takes_subscriptions);
    for (const std::string_view other : {"PAIR", "PUS", "PUSHED", "", " ", "SUB XSUB"}) {
      EXPECT_FALSE(takes(other, "")) << other;
    }
  }
}

TEST(ZmtpScannerHandshake, TakesAnIdentityAndRefusesOneThatZeroMqMakesUp) {
  const auto takes = [](const std::string& properties) {
    ZmtpScanner scanner(ScanLimits{64U << 10U});
    return scan(scanner, ZmtpClient::hello("DEALER", properties));
  };
  EXPECT_TRUE(takes(ZmtpClient::property("Identity", "")));
  EXPECT_TRUE(takes(ZmtpClient::property("Identity", std::string(255, 'x'))));
  EXPECT_TRUE(takes(ZmtpClient::property("X-Mine", std::string("\0", 1))));
  EXPECT_FALSE(takes(ZmtpClient::property("Identity", std::string(256, 'x'))));
  EXPECT_FALSE(takes(ZmtpClient::property("Identity", std::string("\0\1\2\3\4", 5))));
  EXPECT_FALSE(takes(ZmtpClient::property("Identity", "good") +
                     ZmtpClient::property("Identity", std::string("\0", 1))));
}

TEST(ZmtpScannerHandshake, TakesAnOldPeersIdentityAndRefusesOneThatZeroMqMakesUp) {
  const auto takes = [](const std::string& identity_frame) {
    ZmtpScanner scanner(ScanLimits{64U << 10U});
    return scan(scanner, ZmtpClient::greeting().replace(10, 1, "\1").substr(0, 12)) &&
           scan(scanner, identity_frame) && scan(scanner, ZmtpClient::part("x", false)) &&
           scanner.take_ended_memory() == memory_of_part(1);
  };
  EXPECT_TRUE(takes(ZmtpClient::part("", false)));
  EXPECT_TRUE(takes(ZmtpClient::part(std::string(255, 'x'), false)));
  EXPECT_FALSE(takes(ZmtpClient::part(std::string(256, 'x'), false)));
  EXPECT_FALSE(takes(ZmtpClient::part(std::string("\0\1\2\3\4", 5), false)));
  EXPECT_FALSE(takes(ZmtpClient::part("x", true)));
}

TEST(ZmtpScannerHandshake, IsShortAndWellMadeAndComesFirst) {
  const auto takes = [](const std::string& bytes) {
    ZmtpScanner scanner(ScanLimits{64U << 10U});
    const bool is_good = scan(scanner, bytes);
    EXPECT_EQ(scanner.take_ended_memory(), 0U) << bytes;
    return is_good;
  };
  const std::string much = ZmtpClient::property("X-A", std::string(handshake_bytes_max, 'x'));
  const std::string greeting = ZmtpClient::greeting();
  const std::string ready = ZmtpClient::hello().substr(greeting.size());
  EXPECT_TRUE(takes(greeting + ready));
  EXPECT_TRUE(
      takes(ZmtpClient::hello("PUSH", ZmtpClient::property("X-A", std::string(1000, 'x')))));
  EXPECT_FALSE(takes(ZmtpClient::hello("PUSH", much)));
  EXPECT_FALSE(takes(ZmtpClient::hello("PUSH", "x")));
  EXPECT_FALSE(takes(ZmtpClient::hello("PUSH", ZmtpClient::property("X", "12").substr(0, 7))));
  EXPECT_FALSE(takes(greeting + ZmtpClient::part("x", false)));
  EXPECT_FALSE(takes(greeting + ZmtpClient::command("PING", "\1\1")));
  EXPECT_FALSE(takes(greeting + '\5' + ready.substr(1))) << "with more to come";
  EXPECT_FALSE(takes(greeting + std::string(1, '\0') + ready.substr(1))) << "not a command";
}

TEST(ZmtpScannerHandshake, FollowsTheVersionAsZeroMqDoes) {
  const auto takes = [](const std::string& greeting) {
    ZmtpScanner scanner(ScanLimits{64U << 10U});
    return scan(scanner, greeting + ZmtpClient::hello().substr(greeting.size()) +
                             ZmtpClient::part("x", false)) &&
           scanner.take_ended_memory() > 0;
  };
  for (const char version : {'\2', '\3', '\4', '\x7f'}) {
    EXPECT_TRUE(takes(ZmtpClient::greeting().replace(10, 1, 1, version))) << int{version};
  }
  EXPECT_FALSE(takes(ZmtpClient::greeting().replace(10, 1, 1, '\0')));
  EXPECT_FALSE(takes(ZmtpClient::greeting().replace(12, 5, "PLAIN"))) << "another mechanism";
  EXPECT_FALSE(takes(ZmtpClient::greeting().replace(31, 1, "x"))) << "another mechanism";
}

TEST_F(ZmtpScannerTest, SaysHowManyBytesEndNothingButWhatHasBegun) {
  EXPECT_EQ(scanner_.bytes_to_go(), 1U);
  const std::string message = ZmtpClient::part("abc", true) + ZmtpClient::part("", false);
  std::string rest = message + message;
  std::vector<std::uint64_t> steps;
  while (!rest.empty()) {
    steps.push_back(scanner_.bytes_to_go());
    EXPECT_TRUE(scan(rest.substr(0, steps.back())));
    rest.erase(0, steps.back());
  }
  EXPECT_EQ(steps, (std::vector<std::uint64_t>{1, 8, 3, 1, 8, 1, 8, 3, 1, 8}));
}

TEST_F(ZmtpScannerTest, FollowsNoSubscriptionsWhereNoneCome) {
  ZmtpScanner other(ScanLimits{64U << 10U});
  std::string bytes = ZmtpClient::hello();
  for (int i = 0; i < 10'000; ++i) bytes += subscribe(std::to_string(i));
  EXPECT_TRUE(sidecar::scan(other, bytes));
}

TEST(ZmtpScannerFault, SaysWhatWasSeen) {
  using Fault = ZmtpScanner::Fault;
  const auto fault_of = [](const std::string& bytes) {
    ZmtpScanner scanner({.message_bytes_max = 1000, .peer_types = "PUSH"});
    EXPECT_FALSE(scan(scanner, bytes)) << bytes;
    return scanner.fault();
  };
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\n"), Fault::http);
  EXPECT_EQ(fault_of("POST /eve"), Fault::http);
  EXPECT_EQ(fault_of("PRI * HTTP/2.0\r\n"), Fault::http);
  EXPECT_EQ(fault_of(std::string("\x16\x03\x01\x02\0", 5)), Fault::tls);
  EXPECT_EQ(fault_of("G"), Fault::not_zeromq) << "nobody can tell";
  EXPECT_EQ(fault_of("{\"n\":1}"), Fault::not_zeromq);
  EXPECT_EQ(fault_of(ZmtpClient::greeting() + ZmtpClient::part("x", false)), Fault::not_zeromq);
  EXPECT_EQ(fault_of(ZmtpClient::hello("PUSH") + ZmtpClient::part(std::string(1001, 'x'), false)),
            Fault::beyond_limits);
  for (const char* type : {"DEALER", "SUB", "unknown"}) {
    ZmtpScanner scanner({.message_bytes_max = 1000, .peer_types = "PUSH"});
    EXPECT_FALSE(scan(scanner, ZmtpClient::hello(type)));
    EXPECT_EQ(scanner.fault(), Fault::other_socket);
    EXPECT_STREQ(scanner.other_type(), type);
  }
}

}  // namespace
}  // namespace outrider::sidecar
