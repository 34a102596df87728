#include "sidecar/base/zmtp_scanner.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/zmtp_client.hpp"

namespace outrider::sidecar {
namespace {

using test::ZmtpClient;

class ZmtpScannerTest : public testing::Test {
 protected:
  ZmtpScannerTest() { EXPECT_TRUE(scan(ZmtpClient::hello("SUB"))); }

  bool scan(const std::string& bytes) {
    return scanner_.scan(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
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
    const std::string body = static_cast<char>(name.size()) + name + topic;
    return '\4' + std::string(1, static_cast<char>(body.size())) + body;
  }

  ZmtpScanner scanner_{ScanLimits{64U << 10U, 16, 3}};
};

TEST_F(ZmtpScannerTest, CountsWhatIsLive) {
  EXPECT_TRUE(scan(subscribe("a") + subscribe("b") + command("SUBSCRIBE", "c")));
  EXPECT_TRUE(scan(subscribe("a") + command("SUBSCRIBE", "b"))) << "once more";
  EXPECT_TRUE(scan(cancel("a") + command("CANCEL", "b") + subscribe("d") + subscribe("")));
  EXPECT_TRUE(scan(cancel("never") + command("CANCEL", "a"))) << "what is not live";
  EXPECT_TRUE(scan(ZmtpClient::part("\2chatter", true) + ZmtpClient::part("", false)));
  EXPECT_FALSE(scanner_.is_oversubscribed());
  EXPECT_FALSE(scan(subscribe("e")));
  EXPECT_TRUE(scanner_.is_oversubscribed());
}

TEST_F(ZmtpScannerTest, CountsCommandsAndPartsThatComeInPieces) {
  EXPECT_TRUE(scan_by_byte(command("SUBSCRIBE", "a") + ZmtpClient::part("\1b", true)));
  EXPECT_TRUE(scan_by_byte(ZmtpClient::part("\1c", false) + command("PING", "xx")));
  EXPECT_FALSE(scan_by_byte(command("SUBSCRIBE", "d")));
  EXPECT_TRUE(scanner_.is_oversubscribed());
}

TEST_F(ZmtpScannerTest, TakesTheLongestTopicAndNoLongerOne) {
  const std::string longest(subscription_bytes_max, 'x');
  EXPECT_TRUE(scan(subscribe(longest)));
  EXPECT_TRUE(scan(cancel(longest + 'x') + cancel(std::string(60'000, 'x'))));
  EXPECT_TRUE(scan(ZmtpClient::part('\2' + std::string(60'000, 'x'), false)));
  EXPECT_FALSE(scan(subscribe(longest + 'x')));
  EXPECT_TRUE(scanner_.is_oversubscribed());
}

TEST_F(ZmtpScannerTest, FollowsNoSubscriptionsWhereNoneCome) {
  ZmtpScanner other(ScanLimits{64U << 10U});
  std::string bytes = ZmtpClient::hello();
  for (int i = 0; i < 10'000; ++i) bytes += subscribe(std::to_string(i));
  EXPECT_TRUE(other.scan(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

}  // namespace
}  // namespace outrider::sidecar
