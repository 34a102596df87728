#include "sidecar/ingest/zmq_listener.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <sys/epoll.h>
#include <sys/resource.h>

namespace outrider::sidecar {
namespace {

constexpr std::string_view ipc_scheme = "ipc://";
constexpr std::string_view tcp_scheme = "tcp://";
constexpr std::string_view inproc_scheme = "inproc://";
constexpr int backlog_max = 1024;
constexpr std::int64_t message_bytes_min = 16LL << 20U;

void raise_open_files_limit(Log& log) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) log.warn("cannot raise the limit of open files");
}

}  // namespace

ZmqListener::~ZmqListener() {
  close();
}

Status ZmqListener::open(void* context, zmq::socket_type type, int receive_frames_max,
                         const std::vector<std::string>& endpoints, const IngestConfig& config,
                         Log& log) try {
  void* handle = zmq_socket(context, static_cast<int>(type));
  if (handle == nullptr) throw zmq::error_t();
  socket_ = zmq::socket_ref(zmq::from_handle, handle);
  socket_.set(zmq::sockopt::rcvhwm, receive_frames_max);
  socket_.set(zmq::sockopt::backlog, backlog_max);
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::ipv6, true);
  socket_.set(zmq::sockopt::tcp_keepalive, 1);
  const std::int64_t message_bytes_max =
      std::max(static_cast<std::int64_t>(config.frame_bytes_max) * 4, message_bytes_min);
  socket_.set(zmq::sockopt::maxmsgsize, message_bytes_max);
  for (const std::string& endpoint : endpoints) {
    if (Status status = bind(endpoint, config, log); !status.ok()) return status;
  }
  fd_ = socket_.get(zmq::sockopt::fd);
  reactor_.set(fd_, EPOLLIN, [](std::uint32_t) {});
  return Nothing{};
} catch (const zmq::error_t& error) {
  return Error{std::string("cannot make the ingest socket: ") + error.what()};
}

Status ZmqListener::bind(const std::string& endpoint, const IngestConfig& config, Log& log) {
  const bool is_inproc = endpoint.starts_with(inproc_scheme);
  if (endpoint.starts_with(ipc_scheme)) {
    if (Status status = bind_ipc(endpoint, config); !status.ok()) return status;
  } else if (!is_inproc && !endpoint.starts_with(tcp_scheme)) {
    return Error{"endpoint " + endpoint + ": it must begin with ipc://, tcp:// or inproc://"};
  } else {
    try {
      socket_.bind(endpoint);
    } catch (const zmq::error_t& error) {
      if (error.num() == EADDRINUSE) {
        return Error{"endpoint " + endpoint + " is in use: stop who listens there, or give this " +
                     "sidecar another [ingest] endpoint"};
      }
      return Error{"cannot listen on " + endpoint + ": " + error.what()};
    }
  }
  if (!is_inproc) raise_open_files_limit(log);
  log.info("listening", {{"endpoint", socket_.get(zmq::sockopt::last_endpoint)}});
  return Nothing{};
}

Status ZmqListener::bind_ipc(const std::string& endpoint, const IngestConfig& config) {
  Result<EndpointGuard> guard = EndpointGuard::claim(endpoint.substr(ipc_scheme.size()),
                                                     config.socket_mode, config.socket_group);
  if (!guard.ok()) return guard.error();
  try {
    socket_.set(zmq::sockopt::use_fd, guard.value().take_listener());
    socket_.bind(endpoint);
    socket_.set(zmq::sockopt::use_fd, -1);
  } catch (const zmq::error_t& error) {
    return Error{"cannot listen on " + endpoint + ": " + error.what()};
  }
  guards_.push_back(std::move(guard.value()));
  return Nothing{};
}

bool ZmqListener::receive(zmq::message_t& message) {
  if (!socket_) return false;
  try {
    return socket_.recv(message, zmq::recv_flags::dontwait).has_value();
  } catch (const zmq::error_t& error) {
    // The application that embeds us ends its context: the descriptor would stay ready for ever.
    if (error.num() == ETERM) close();
    return false;
  }
}

void ZmqListener::skip_rest(zmq::message_t& message) {
  // libzmq hands over whole messages, so that the parts are all there.
  while (message.more() && socket_.recv(message, zmq::recv_flags::dontwait)) {
  }
}

void ZmqListener::stop_listening() {
  for (EndpointGuard& guard : guards_) guard.remove_path();
}

void ZmqListener::close() {
  if (!socket_) return;
  if (fd_ >= 0) reactor_.remove(fd_);
  zmq_close(socket_.handle());
  socket_ = {};
  guards_.clear();
}

}  // namespace outrider::sidecar
