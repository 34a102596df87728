// Which sockets the gate takes for the sidecar's, in a program that has others.
#include "sidecar/base/socket_gate.hpp"

#include <memory>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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
  return std::make_shared<Intake>(ScanLimits{}, false);
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

}  // namespace
}  // namespace outrider::sidecar
