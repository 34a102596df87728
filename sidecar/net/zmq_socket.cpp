#include "sidecar/net/zmq_socket.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include <sys/epoll.h>
#include <zmq.h>

#include "sidecar/net/socket_gate.hpp"

namespace outrider::sidecar {
namespace {

/// A connection that says nothing does not hold a descriptor for longer.
constexpr int handshake_max_ms = 5000;
/// Of a longer one, as only inproc can have, last_endpoint() says nothing.
constexpr std::size_t endpoint_bytes_max = 1024;

Error last_error() {
  return {zmq_strerror(zmq_errno())};
}

}  // namespace

int wake_by_socket(Reactor& reactor, void* socket) {
  int fd = -1;
  std::size_t bytes = sizeof fd;
  if (zmq_getsockopt(socket, ZMQ_FD, &fd, &bytes) != 0) return -1;
  reactor.set(fd, EPOLLIN, [](std::uint32_t) {});
  return fd;
}

ZmqSocket::ZmqSocket(Reactor& reactor, Log& log)
    : reactor_(reactor), ipcs_(log, [this](const std::string& endpoint, int fd) {
        return bind_listener(endpoint, fd);
      }) {}

Status ZmqSocket::open(void* context, int type, std::shared_ptr<Intake> intake) {
  intake_ = std::move(intake);
  socket_ = zmq_socket(context, type);
  if (socket_ == nullptr) return last_error();
  const auto message_bytes_max = static_cast<std::int64_t>(intake_->limits().message_bytes_max);
  zmq_setsockopt(socket_, ZMQ_MAXMSGSIZE, &message_bytes_max, sizeof message_bytes_max);
  set(ZMQ_HANDSHAKE_IVL, handshake_max_ms);
  set(ZMQ_BACKLOG, EndpointGuard::backlog_max);
  set(ZMQ_IPV6, 1);
  set(ZMQ_TCP_KEEPALIVE, 1);
  fd_ = wake_by_socket(reactor_, socket_);
  return fd_ < 0 ? Status(last_error()) : Status(Nothing{});
}

void ZmqSocket::set(int option, int value) {
  zmq_setsockopt(socket_, option, &value, sizeof value);
}

Status ZmqSocket::bind(const std::string& endpoint, std::uint32_t mode, const std::string& group) {
  if (endpoint.starts_with(IpcEndpoints::scheme)) {
    if (!ticker_) {
      ticker_.emplace(reactor_, IpcEndpoints::upkeep_period, [this] { ipcs_.look_after(); });
    }
    return ipcs_.claim(endpoint, mode, group);
  }
  if (zmq_bind(socket_, endpoint.c_str()) != 0) {
    const int error = zmq_errno();
    Error failed{"cannot listen on " + endpoint + ": " + zmq_strerror(error)};
    errno = error;
    return failed;
  }
  SocketGate::watch_endpoint(last_endpoint(), intake_);
  return Nothing{};
}

Status ZmqSocket::bind_listener(const std::string& endpoint, int fd) {
  SocketGate::watch(fd, intake_);
  set(ZMQ_USE_FD, fd);
  Status status =
      zmq_bind(socket_, endpoint.c_str()) == 0 ? Status(Nothing{}) : Status(last_error());
  set(ZMQ_USE_FD, -1);
  return status;
}

std::string ZmqSocket::last_endpoint() const {
  std::array<char, endpoint_bytes_max> endpoint{};
  std::size_t bytes = endpoint.size();
  zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, endpoint.data(), &bytes);
  return endpoint.data();
}

bool ZmqSocket::is_readable() const {
  return has_event(ZMQ_POLLIN);
}

bool ZmqSocket::is_writable() const {
  return has_event(ZMQ_POLLOUT);
}

bool ZmqSocket::has_event(int event) const {
  int events = 0;
  std::size_t bytes = sizeof events;
  return zmq_getsockopt(socket_, ZMQ_EVENTS, &events, &bytes) == 0 && (events & event) != 0;
}

void ZmqSocket::close(int linger_ms) {
  if (socket_ == nullptr) return;
  if (fd_ >= 0) reactor_.remove(std::exchange(fd_, -1));
  set(ZMQ_LINGER, linger_ms);
  zmq_close(std::exchange(socket_, nullptr));
  ticker_.reset();
  ipcs_.clear();
}

}  // namespace outrider::sidecar
