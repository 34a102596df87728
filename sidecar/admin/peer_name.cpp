#include "sidecar/admin/peer_name.hpp"

#include <array>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace outrider::sidecar {
namespace {

std::string name_of_unix_peer(int fd) {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return "unknown";
  return "unix uid=" + std::to_string(peer.uid) + " pid=" + std::to_string(peer.pid);
}

std::string with_port(int family, const void* address, in_port_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (inet_ntop(family, address, text.data(), text.size()) == nullptr) return "unknown";
  const std::string host(text.data());
  return (family == AF_INET6 ? "[" + host + "]" : host) + ":" + std::to_string(ntohs(port));
}

}  // namespace

std::string peer_name(int fd) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof address;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return "unknown";
  switch (address.ss_family) {
    case AF_UNIX:
      return name_of_unix_peer(fd);
    case AF_INET: {
      const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
      return with_port(AF_INET, &v4.sin_addr, v4.sin_port);
    }
    case AF_INET6: {
      const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
      return with_port(AF_INET6, &v6.sin6_addr, v6.sin6_port);
    }
    default:
      return "unknown";
  }
}

}  // namespace outrider::sidecar
