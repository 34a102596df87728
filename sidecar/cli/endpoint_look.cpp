#include "sidecar/cli/endpoint_look.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sdk/src/link.hpp"
#include "sdk/src/worker.hpp"
#include "sidecar/base/handle.hpp"
#include "sidecar/config/endpoint.hpp"

namespace outrider::sidecar {
namespace {

constexpr int connect_ms_max = 1000;
/// Each side ends the connection as soon as it sees that the other does not fit. Where that was not
/// this one, ZeroMQ tries again.
constexpr int again_ms = 10;
/// A connection that ends before its handshake has been written looks like a socket that does not
/// fit, and the sidecar would warn of it.
constexpr int handshake_ms = 5;

/// It is not the sidecar that is missing.
constexpr const char* no_means =
    "this process has no descriptors or threads left for a connection: raise `ulimit -n`, "
    "`ulimit -u` or `ulimit -v`";

/// The result of connect(): 0, or an error; an inconclusive error is 0 too.
int connect_error(int family, const sockaddr* address, socklen_t bytes) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
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

std::string error_text(int error) {
  return error == EMFILE ? no_means : std::generic_category().message(error);
}

bool is_other_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode);
}

std::string why_no_socket(const std::string& path, EndpointUse use) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {};
  std::memcpy(address.sun_path, path.data(), path.size());
  const int error =
      connect_error(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  switch (error) {
    case 0:
      return {};
    case ENOENT:
      return std::string("there is no socket; is the sidecar running, and does it listen there?") +
             (use == EndpointUse::confirm ? " Only a sidecar with a [spool] confirms" : "");
    case ECONNREFUSED:
      if (is_other_file(path)) return "it is not a socket; give the path of the sidecar's socket";
      return "nobody listens there any more; is the sidecar running?";
    case EACCES:
      return "permission denied; ingest.socket_group and ingest.socket_mode decide who may connect";
    default:
      return error_text(error);
  }
}

std::string why_no_host(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure =
      ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (failure == EAI_SYSTEM) return error_text(errno);
  if (failure != 0) return "the host is not found: " + std::string(::gai_strerror(failure));
  const Handle<addrinfo, ::freeaddrinfo> addresses(found);
  int error = 0;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    error = connect_error(one->ai_family, one->ai_addr, one->ai_addrlen);
    if (error == 0) return {};
  }
  if (error == ECONNREFUSED) return "nobody listens there; is the sidecar running?";
  return error_text(error);
}

}  // namespace

std::string why_unreachable(const std::string& endpoint, EndpointUse use) {
  const Result<Endpoint> parsed = parse_connect_endpoint(endpoint);
  if (!parsed.ok()) return {};
  switch (parsed.value().kind) {
    case Endpoint::Kind::ipc:
      return why_no_socket(parsed.value().path, use);
    case Endpoint::Kind::tcp:
      return why_no_host(parsed.value());
    case Endpoint::Kind::inproc:
      break;
  }
  return {};
}

std::string why_unfit(const std::string& endpoint, EndpointUse use) {
  const bool is_confirm = use == EndpointUse::confirm;
  // Nothing is sent over it: ZeroMQ tells the kind of a socket when it connects.
  sdk::Link link({.kind = is_confirm ? sdk::LinkKind::dealer : sdk::LinkKind::push,
                  .endpoint = endpoint,
                  .send_frames_max = 1,
                  .reconnect_initial_ms = again_ms});
  const int nobody_wakes = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(connect_ms_max);
  if (nobody_wakes < 0) return no_means;
  const bool is_open = link.open();
  while (is_open && !link.is_connected() && !link.is_given_up()) {
    const long left_ms = sdk::left_ms(deadline);
    if (left_ms == 0) break;
    link.wait(nobody_wakes, false, left_ms);
  }
  if (link.is_connected()) link.wait(nobody_wakes, false, handshake_ms);
  ::close(nobody_wakes);
  if (!is_open) return no_means;
  if (!link.is_given_up()) return {};
  return is_confirm ? "it is not a sidecar's ingest.confirm_endpoint; the endpoint for events "
                      "without --confirm confirms nothing"
                    : "it is not a sidecar's ingest endpoint; ingest.confirm_endpoint works only "
                      "with --confirm";
}

}  // namespace outrider::sidecar
