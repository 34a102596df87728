// Which sockets the gate takes for the sidecar's, in a program that has others.
#include "sidecar/net/socket_gate.hpp"

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/zmtp_client.hpp"

namespace outrider::sidecar {
namespace {

constexpr const char* here = "127.0.0.1";
constexpr const char* elsewhere = "127.0.0.2";

sockaddr_in address_of(const char* host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, host, &address.sin_addr);
  return address;
}

int bind_to(const char* host, std::uint16_t port, int type = SOCK_STREAM) {
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const sockaddr_in address = address_of(host, port);
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  if (type == SOCK_STREAM) {
    EXPECT_EQ(listen(fd, 8), 0);
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t bytes = sizeof address;
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
  return ntohs(address.sin_port);
}

bool is_socket(int fd) {
  int type = 0;
  socklen_t bytes = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0;
}

std::shared_ptr<Intake> intake() {
  return std::make_shared<Intake>(ScanLimits{}, Bound::none);
}

class SocketGateTest : public testing::Test {
 protected:
  ~SocketGateTest() override {
    for (const int fd : fds_) close(fd);
  }

  int own(int fd) {
    fds_.push_back(fd);
    return fd;
  }
  int connect_to(const char* host) {
    const int fd = own(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = address_of(host, port_);
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static int accept_at(int listener) { return accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); }

  /// Which of them a child still has, a bit each.
  static int kept_by_child(const std::vector<int>& fds) {
    const pid_t child = fork();
    if (child == 0) {
      int kept = 0;
      for (std::size_t i = 0; i < fds.size(); ++i) {
        if (is_socket(fds[i])) kept |= 1 << i;
      }
      _exit(kept);
    }
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::vector<int> fds_;
  const int listener_ = own(bind_to(here, 0));
  const std::uint16_t port_ = port_of(listener_);
};

TEST_F(SocketGateTest, AChildGivesUpTheListenerAndItsConnectionsAndNothingElse) {
  SocketGate::watch(listener_, intake());
  const int listener_of_host = own(bind_to(elsewhere, port_));
  connect_to(elsewhere);
  const int connection_of_host = own(accept_at(listener_of_host));
  const int udp_of_host = own(bind_to(here, port_, SOCK_DGRAM));
  const int client = connect_to(here);
  // The last, with the highest number.
  const int connection = own(accept_at(listener_));
  EXPECT_EQ(kept_by_child({listener_, connection}), 0);
  EXPECT_EQ(kept_by_child({client, listener_of_host, connection_of_host, udp_of_host}), 0b1111);
  EXPECT_TRUE(is_socket(listener_) && is_socket(connection)) << "in the parent they are as before";
}

TEST_F(SocketGateTest, TheNumberOfAClosedConnectionIsFreeForOthers) {
  SocketGate::watch(listener_, intake());
  connect_to(here);
  const int connection = accept_at(listener_);
  ASSERT_GE(connection, 0);
  close(connection);
  const int next = own(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(next, connection);
  EXPECT_EQ(kept_by_child({next}), 1);
}

TEST_F(SocketGateTest, AnEndpointIsTheSocketWithItsAddressAndPort) {
  const int listener_of_host = own(bind_to(elsewhere, port_));
  SocketGate::watch_endpoint("tcp://127.0.0.1:" + std::to_string(port_), intake());
  EXPECT_EQ(kept_by_child({listener_, listener_of_host}), 0b10);
}

TEST_F(SocketGateTest, AnAddressThatIsWrittenInAnotherWayIsFoundByItsPort) {
  SocketGate::watch_endpoint("tcp://localhost:" + std::to_string(port_), intake());
  EXPECT_EQ(kept_by_child({listener_}), 0);
}

using test::ZmtpClient;

/// Of a socket that only sends.
constexpr ScanLimits workers_limits{.message_bytes_max = 4096, .message_parts_max = 0};
constexpr ScanLimits pub_limits{
    .message_bytes_max = 1000, .subscriptions_max = 9, .peer_types = "SUB"};
constexpr ScanLimits pull_limits{.message_bytes_max = 1000, .peer_types = "PUSH"};

struct FloodCase {
  const char* name;
  Bound bound;
  ScanLimits limits;
  std::string_view peer;
  std::string message;
  std::uint64_t room;
};

class SocketGateFlood : public SocketGateTest, public testing::WithParamInterface<FloodCase> {
 protected:
  /// How many bytes are given away before the gate says that nothing is there.
  static std::size_t read_until_denied(int fd) {
    std::vector<char> buffer(8192);
    std::size_t bytes = 0;
    for (;;) {
      const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got <= 0) return bytes;
      bytes += static_cast<std::size_t>(got);
    }
  }
};

/// Of what it has begun it gives the end, but nothing of what comes after that: also where each
/// read ends in the midst of a message.
TEST_P(SocketGateFlood, GivesNoMoreThanThereIsRoomFor) {
  const FloodCase& one = GetParam();
  const auto intake = std::make_shared<Intake>(one.limits, one.bound);
  intake->attach();
  SocketGate::watch(listener_, intake);
  const int client = connect_to(here);
  const int connection = own(accept_at(listener_));
  const std::string hello = ZmtpClient::hello(one.peer);
  ASSERT_EQ(send(client, hello.data(), hello.size(), 0), static_cast<ssize_t>(hello.size()));
  EXPECT_EQ(read_until_denied(connection), hello.size());
  if (one.bound == Bound::turn) intake->take_all();
  const std::uint64_t each = memory_of_part(one.message.size() - (one.message[0] == '\4' ? 2 : 9));
  std::string bytes;
  for (std::uint64_t i = 0; i < one.room / each * 2 + 2000; ++i) bytes += one.message;
  fcntl(client, F_SETFL, O_NONBLOCK);
  std::size_t sent = 0;
  std::size_t got = 0;
  for (std::size_t step = 1; step > 0 && sent < bytes.size();) {
    const ssize_t now = send(client, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (now > 0) sent += static_cast<std::size_t>(now);
    got += step = read_until_denied(connection);
  }
  const std::uint64_t fit = (one.room + each - 1) / each;
  const std::uint64_t in_a_read = 8192 / one.message.size();
  const std::uint64_t given = got / one.message.size();
  EXPECT_GE(given, fit);
  EXPECT_LE(given, fit + in_a_read);
  EXPECT_EQ(got % one.message.size(), 0U) << "ends with a message";
  EXPECT_EQ(read_until_denied(connection), 0U);
  if (one.bound == Bound::turn) {
    intake->take_all();
    EXPECT_GT(read_until_denied(connection), 0U);
    EXPECT_EQ(read_until_denied(connection), 0U);
    intake->detach();
    EXPECT_GT(read_until_denied(connection), 0U) << "nobody calls libzmq any more";
  }
}

TEST_F(SocketGateTest, CountsAnEndInTheHandshakeOnlyWhereEventsCouldBeLost) {
  struct Case {
    ScanLimits limits;
    std::uint64_t counted;
  };
  const Case cases[] = {{ScanLimits{}, 1}, {pub_limits, 0}, {workers_limits, 0}};
  for (const Case& one : cases) {
    const int listener = own(bind_to(elsewhere, 0));
    const auto taken = std::make_shared<Intake>(one.limits, Bound::none);
    taken->attach();
    SocketGate::watch(listener, taken);
    const std::uint64_t before = SocketGate::counts().left;
    const int client = own(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = address_of(elsewhere, port_of(listener));
    ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const int connection = own(accept_at(listener));
    constexpr std::size_t greeting_bytes = 64;
    const std::string greeting = ZmtpClient::hello("PUSH").substr(0, greeting_bytes);
    ASSERT_EQ(send(client, greeting.data(), greeting.size(), 0), std::ssize(greeting));
    shutdown(client, SHUT_WR);
    char buffer[2 * greeting_bytes];
    while (recv(connection, buffer, sizeof buffer, 0) > 0) continue;
    EXPECT_EQ(SocketGate::counts().left - before, one.counted);
  }
}

/// At each end libzmq goes through what all are subscribed to.
TEST_F(SocketGateTest, OneSubscriberATurnComesOrGoes) {
  const auto intake = std::make_shared<Intake>(pub_limits, Bound::turn);
  intake->attach();
  SocketGate::watch(listener_, intake);
  std::vector<int> connections;
  for (const std::string_view peer : {"SUB", "SUB", "PUSH"}) {
    const int client = connect_to(here);
    connections.push_back(own(accept_at(listener_)));
    const std::string hello = ZmtpClient::hello(peer);
    ASSERT_EQ(send(client, hello.data(), hello.size(), 0), static_cast<ssize_t>(hello.size()));
    shutdown(client, SHUT_WR);
  }
  char buffer[200];
  const auto read = [&](int i) {
    return recv(connections[i], buffer, sizeof buffer, MSG_DONTWAIT);
  };
  EXPECT_EQ(read(2), 0) << "who is no subscriber is cut off at once";
  EXPECT_GT(read(0), 0);
  for (const int coming_or_going : {1, 0, 1}) {
    for (const int i : {0, 1}) {
      EXPECT_EQ(read(i), -1);
      EXPECT_EQ(errno, EAGAIN);
    }
    intake->take_all();
    EXPECT_GE(read(coming_or_going), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, SocketGateFlood,
    testing::Values(
        FloodCase{"Subscriptions", Bound::turn, pub_limits, "SUB",
                  ZmtpClient::part('\1' + std::string(240, 'a'), false), Intake::turn_bytes},
        FloodCase{"SubscribeCommands", Bound::turn, pub_limits, "SUB",
                  ZmtpClient::command("SUBSCRIBE", std::string(99, 'a')), Intake::turn_bytes},
        FloodCase{"Chatter", Bound::turn, pub_limits, "SUB", ZmtpClient::part("\2x", false),
                  Intake::turn_bytes},
        FloodCase{"Frames", Bound::room, pull_limits, "PUSH",
                  ZmtpClient::part(std::string(40, 'x'), false), Intake::room_bytes_min}),
    [](const auto& tested) { return tested.param.name; });

/// What another thread of libzmq's connects to is none of ours.
TEST_F(SocketGateTest, WatchesWhatOurThreadsConnectToAndNothingElse) {
  SocketGate::watch_connects(std::make_shared<Intake>(pub_limits, Bound::turn));
  const std::string ours = std::to_string(SocketGate::thread_name_prefix) + "/ZMQbg/IO/0";
  char before[16] = "";
  pthread_getname_np(pthread_self(), before, sizeof before);
  for (const std::string& name : {ours, std::string("ZMQbg/IO/0"), std::string(before)}) {
    SCOPED_TRACE(name);
    pthread_setname_np(pthread_self(), name.c_str());
    const int made = connect_to(here);
    const int peer = own(accept_at(listener_));
    EXPECT_EQ(kept_by_child({made}), name == ours ? 0 : 1);
    ASSERT_EQ(send(peer, "HTTP", 4, MSG_NOSIGNAL), 4);
    char buffer[4];
    EXPECT_EQ(recv(made, buffer, sizeof buffer, 0), name == ours ? 0 : 4);
  }
  SocketGate::watch_connects(nullptr);
  pthread_setname_np(pthread_self(), before);
}

}  // namespace
}  // namespace outrider::sidecar
