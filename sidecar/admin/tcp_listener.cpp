#include "sidecar/admin/tcp_listener.hpp"

#include <cerrno>
#include <system_error>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

constexpr int waiting_max = 64;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
};

SocketAddress v6_address(const in6_addr& host, std::uint16_t port) {
  SocketAddress address;
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = host;
  v6.sin6_port = htons(port);
  address.bytes = sizeof v6;
  return address;
}

SocketAddress v4_address(const in_addr& host, std::uint16_t port) {
  SocketAddress address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  v4.sin_family = AF_INET;
  v4.sin_addr = host;
  v4.sin_port = htons(port);
  address.bytes = sizeof v4;
  return address;
}

SocketAddress parse(const AdminAddress& address) {
  in_addr v4{};
  in6_addr v6 = in6addr_any;
  if (inet_pton(AF_INET, address.host.c_str(), &v4) == 1) return v4_address(v4, address.port);
  if (address.host != "*") inet_pton(AF_INET6, address.host.c_str(), &v6);
  return v6_address(v6, address.port);
}

/// -1: errno says why.
int open_listener(const SocketAddress& address, bool is_dual) {
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int v6_only = is_dual ? 0 : 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.storage.ss_family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  }
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.bytes) == 0 &&
      listen(fd, waiting_max) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

std::uint16_t port_of(int fd) {
  SocketAddress own;
  own.bytes = sizeof own.storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&own.storage), &own.bytes);
  return ntohs(own.storage.ss_family == AF_INET6
                   ? reinterpret_cast<sockaddr_in6&>(own.storage).sin6_port
                   : reinterpret_cast<sockaddr_in&>(own.storage).sin_port);
}

}  // namespace

Result<int> listen_on_tcp(AdminAddress& address) {
  const bool is_any = address.host == "*";
  int fd = open_listener(parse(address), is_any);
  // A machine without IPv6.
  if (fd < 0 && is_any && errno == EAFNOSUPPORT) {
    fd = open_listener(v4_address({INADDR_ANY}, address.port), false);
  }
  if (fd < 0) {
    return Error{"cannot listen on " + address.text() + ": " +
                 std::generic_category().message(errno) +
                 (errno == EADDRINUSE ? "; stop what listens there, or choose another port" : "")};
  }
  address.port = port_of(fd);
  return fd;
}

}  // namespace outrider::sidecar
