#include "sidecar/cli/endpoint_look.hpp"

#include <cerrno>
#include <cstring>
#include <memory>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sidecar/config/endpoint.hpp"

namespace outrider::sidecar {
namespace {

constexpr int connect_ms_max = 1000;

/// What connect() came to: 0, or an error; one that says nothing is 0 too.
int connect_error(int family, const sockaddr* address, socklen_t bytes) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  int error = ::connect(fd, address, bytes) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd waiting{.fd = fd, .events = POLLOUT, .revents = 0};
    socklen_t error_bytes = sizeof error;
    error = 0;
    if (::poll(&waiting, 1, connect_ms_max) == 1) {
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
    }
  }
  ::close(fd);
  return error == EAGAIN ? 0 : error;
}

std::string why_no_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {};
  std::memcpy(address.sun_path, path.data(), path.size());
  switch (const int error =
              connect_error(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address)) {
    case 0:
      return {};
    case ENOENT:
      return "there is no " + path + ": no sidecar listens there";
    case EACCES:
      return "this user may not use " + path +
             ": join the group that ingest.socket_group names, or see ingest.socket_mode";
    case ECONNREFUSED:
      return "nobody listens at " + path + ": the sidecar that made it is gone";
    default:
      return "cannot connect to " + path + ": " + std::strerror(error);
  }
}

std::string why_no_host(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string place = endpoint.host + " port " + std::to_string(endpoint.port);
  const int failure =
      ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (failure != 0) return "cannot find " + endpoint.host + ": " + ::gai_strerror(failure);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  int error = 0;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    error = connect_error(one->ai_family, one->ai_addr, one->ai_addrlen);
    if (error == 0) return {};
  }
  if (error == ECONNREFUSED) return "nobody listens at " + place;
  return "cannot connect to " + place + ": " + std::strerror(error);
}

}  // namespace

std::string why_unreachable(const std::string& endpoint) {
  const Result<Endpoint> parsed = parse_connect_endpoint(endpoint);
  if (!parsed.ok()) return {};
  switch (parsed.value().kind) {
    case Endpoint::Kind::ipc:
      return why_no_socket(parsed.value().path);
    case Endpoint::Kind::tcp:
      return why_no_host(parsed.value());
    case Endpoint::Kind::inproc:
      break;
  }
  return {};
}

}  // namespace outrider::sidecar
