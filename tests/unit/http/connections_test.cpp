// Connections alone, with sockets that the test makes in libcurl's place.

#include "sidecar/http/connections.hpp"

#include <chrono>
#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "support/tcp_peer.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Use = Connections::Use;

class ConnectionsTest : public testing::Test {
 protected:
  int connect_with(milliseconds silence_max) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connections_.opened(fd, silence_max);
    const sockaddr_in address{.sin_family = AF_INET,
                              .sin_port = htons(static_cast<std::uint16_t>(peer_.port())),
                              .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
                              .sin_zero = {}};
    const auto* const to = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(connect(fd, to, sizeof address), 0);
    return fd;
  }

  Connections::Look look(int fd, milliseconds silence_max, bool is_new = false) {
    sockaddr_in local{};
    socklen_t bytes = sizeof local;
    getsockname(fd, reinterpret_cast<sockaddr*>(&local), &bytes);
    return connections_.look({.peer_ip = "127.0.0.1",
                              .peer_port = peer_.port(),
                              .local_ip = "127.0.0.1",
                              .local_port = ntohs(local.sin_port),
                              .opened_fd = is_new ? fd : -1,
                              .silence_max = silence_max});
  }

  static milliseconds silence_max(int fd) {
    unsigned max_ms = 0;
    socklen_t bytes = sizeof max_ms;
    getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &max_ms, &bytes);
    return milliseconds(max_ms);
  }

  test::TcpPeer peer_{test::TcpPeer::read_all};
  Reactor reactor_;
  Connections connections_{reactor_, [](int, std::uint32_t) {}};
};

TEST_F(ConnectionsTest, AKeptOneHasTheTimeOfTheRequestThatUsesIt) {
  const int fd = connect_with(seconds(1));
  EXPECT_EQ(silence_max(fd), seconds(1));
  EXPECT_EQ(look(fd, seconds(1), true).fd, fd);
  for (const seconds time : {seconds(60), seconds(1), seconds(60)}) {
    connections_.rest(fd, Use::http1);
    EXPECT_EQ(look(fd, time).fd, fd);
    EXPECT_EQ(silence_max(fd), time);
  }
  connections_.close(fd);
}

TEST_F(ConnectionsTest, OneThatRequestsShareHasTheLongestOfTheirTimes) {
  const int fd = connect_with(seconds(1));
  look(fd, seconds(1), true);
  connections_.rest(fd, Use::http2);
  for (const seconds time : {seconds(60), seconds(1)}) {
    EXPECT_EQ(look(fd, time).fd, fd);
    EXPECT_EQ(silence_max(fd), seconds(60));
  }
  connections_.close(fd);
}

}  // namespace
}  // namespace outrider::sidecar
