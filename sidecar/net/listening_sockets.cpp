#include "sidecar/net/listening_sockets.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include <netdb.h>
#include <sys/socket.h>

namespace outrider::sidecar {
namespace {

/// Of a tcp socket, as libzmq writes it; else nothing.
std::string endpoint_of(int fd) {
  sockaddr_storage name{};
  socklen_t bytes = sizeof name;
  auto* const address = reinterpret_cast<sockaddr*>(&name);
  std::array<char, NI_MAXHOST> host;
  std::array<char, NI_MAXSERV> port;
  if (getsockname(fd, address, &bytes) != 0 ||
      (name.ss_family != AF_INET && name.ss_family != AF_INET6) ||
      getnameinfo(address, bytes, host.data(), host.size(), port.data(), port.size(),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  const std::string shown = host.data();
  return "tcp://" + (name.ss_family == AF_INET6 ? "[" + shown + "]" : shown) + ":" + port.data();
}

std::string_view port_of(std::string_view endpoint) {
  return endpoint.substr(endpoint.rfind(':') + 1);
}

}  // namespace

std::vector<int> listening_sockets(std::string_view endpoint) {
  std::vector<int> same;
  std::vector<int> same_port;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const int fd = std::atoi(entry.path().filename().c_str());  // NOLINT(cert-err34-c)
    int is_listening = 0;
    socklen_t bytes = sizeof is_listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &bytes) != 0 ||
        is_listening == 0) {
      continue;
    }
    const std::string own = endpoint_of(fd);
    if (own == endpoint) same.push_back(fd);
    if (port_of(own) == port_of(endpoint)) same_port.push_back(fd);
  }
  return same.empty() ? same_port : same;
}

}  // namespace outrider::sidecar
