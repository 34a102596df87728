#include "sidecar/ingest/zmq_listener.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <sys/epoll.h>
#include <sys/resource.h>

namespace outrider::sidecar {
namespace {

constexpr std::string_view tcp_scheme = "tcp://";
constexpr std::string_view inproc_scheme = "inproc://";
constexpr int backlog_max = 1024;
/// After so many bytes a look for new peers costs nothing beside them.
constexpr std::size_t note_peers_bytes = 4096;
constexpr std::int64_t message_bytes_min = 16LL << 20U;
/// A connection that says nothing does not hold a descriptor for longer.
constexpr int handshake_max_ms = 5000;

void raise_open_files_limit(Log& log) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) log.warn("cannot raise the limit of open files");
}

bool is_outside(const std::string& endpoint) {
  return !endpoint.starts_with(inproc_scheme);
}

}  // namespace

ZmqListener::~ZmqListener() {
  close();
}

Status ZmqListener::open(void* context, zmq::socket_type type, int receive_frames_max,
                         const std::vector<std::string>& endpoints, const IngestConfig& config,
                         Log& log) try {
  log_ = &log;
  ipcs_.emplace(
      log, [this](const std::string& endpoint, int fd) { return bind_listener(endpoint, fd); });
  void* handle = zmq_socket(context, static_cast<int>(type));
  if (handle == nullptr) throw zmq::error_t();
  socket_ = zmq::socket_ref(zmq::from_handle, handle);
  socket_.set(zmq::sockopt::rcvhwm, receive_frames_max);
  socket_.set(zmq::sockopt::sndhwm, answers_max);
  socket_.set(zmq::sockopt::backlog, backlog_max);
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::ipv6, true);
  socket_.set(zmq::sockopt::tcp_keepalive, 1);
  const std::int64_t message_bytes_max =
      std::max(static_cast<std::int64_t>(config.frame_bytes_max) * 4, message_bytes_min);
  socket_.set(zmq::sockopt::maxmsgsize, message_bytes_max);
  socket_.set(zmq::sockopt::handshake_ivl, handshake_max_ms);
  // A client that comes back under its name is answered, and not the connection that it has left.
  if (type == zmq::socket_type::router) socket_.set(zmq::sockopt::router_handover, true);
  intake_ = std::make_shared<Intake>(
      ScanLimits{
          .message_bytes_max = static_cast<std::uint64_t>(message_bytes_max),
          .peer_types = type == zmq::socket_type::router ? "REQ DEALER ROUTER" : "PUSH",
      },
      Bound::room);
  if (std::ranges::any_of(endpoints, is_outside)) {
    raise_open_files_limit(log);
    ticker_.emplace(reactor_, IpcEndpoints::upkeep_period, [this] { look_after(); });
    // The gate is the process's: one of its listeners speaks for it.
    if (type == zmq::socket_type::pull || std::ranges::none_of(config.endpoints, is_outside)) {
      gate_log_.emplace(log);
    }
  }
  for (const std::string& endpoint : endpoints) {
    if (Status status = bind(endpoint, config); !status.ok()) return status;
  }
  fd_ = socket_.get(zmq::sockopt::fd);
  reactor_.set(fd_, EPOLLIN, [](std::uint32_t) {});
  return Nothing{};
} catch (const zmq::error_t& error) {
  return Error{std::string("cannot create the ingest socket: ") + error.what()};
}

Status ZmqListener::bind(const std::string& endpoint, const IngestConfig& config) {
  if (endpoint.starts_with(IpcEndpoints::scheme)) {
    Status status = ipcs_->claim(endpoint, config.socket_mode, config.socket_group);
    if (!status.ok()) return status;
  } else if (is_outside(endpoint) && !endpoint.starts_with(tcp_scheme)) {
    return Error{"endpoint " + endpoint + ": it must begin with ipc://, tcp:// or inproc://"};
  } else {
    try {
      socket_.bind(endpoint);
    } catch (const zmq::error_t& error) {
      if (error.num() == EADDRINUSE) {
        return Error{"endpoint " + endpoint +
                     " is in use: stop the program that listens there, or give this " +
                     "sidecar another [ingest] endpoint"};
      }
      return Error{"cannot listen on " + endpoint + ": " + error.what()};
    }
  }
  const std::string bound = socket_.get(zmq::sockopt::last_endpoint);
  SocketGate::watch_endpoint(bound, intake_);
  log_->info("listening", {{"endpoint", bound}});
  return Nothing{};
}

Status ZmqListener::bind_listener(const std::string& endpoint, int fd) try {
  SocketGate::watch(fd, intake_);
  socket_.set(zmq::sockopt::use_fd, fd);
  socket_.bind(endpoint);
  socket_.set(zmq::sockopt::use_fd, -1);
  return Nothing{};
} catch (const zmq::error_t& error) {
  return Error{error.what()};
}

void ZmqListener::look_after() {
  if (gate_log_) gate_log_->tick();
  ipcs_->look_after();
}

bool ZmqListener::receive(zmq::message_t& message) {
  if (!receive_peer(message)) return false;
  intake_->take(message.size());
  return true;
}

bool ZmqListener::receive_peer(zmq::message_t& message) {
  if (!socket_) return false;
  try {
    // While messages are there, libzmq notes new peers only at each hundredth: large ones take
    // long.
    if (unnoted_bytes_ >= note_peers_bytes) {
      unnoted_bytes_ = 0;
      has_more();
    }
    const bool has_come = socket_.recv(message, zmq::recv_flags::dontwait).has_value();
    unnoted_bytes_ += message.size();
    if (!has_come && intake_->waiting() > 0) settle();
    return has_come;
  } catch (const zmq::error_t& error) {
    // The application that embeds us ends its context: the descriptor would stay ready for ever.
    if (error.num() == ETERM) close();
    return false;
  }
}

void ZmqListener::note_answer() {
  if (++unnoted_answers_ < answers_unnoted_max) return;
  unnoted_answers_ = 0;
  has_more();
}

/// Also lets libzmq take note of its peers.
bool ZmqListener::has_more() {
  int events = 0;
  std::size_t bytes = sizeof events;
  return zmq_getsockopt(socket_.handle(), ZMQ_EVENTS, &events, &bytes) == 0 &&
         (events & ZMQ_POLLIN) != 0;
}

/// While the gate is shut nothing may come that would make the owner look again.
void ZmqListener::settle() {
  intake_->settle();
  if (settler_) return;
  settler_.emplace(reactor_, Intake::settle_period, [this] {
    if (!has_more()) intake_->settle();
    if (intake_->waiting() == 0) settler_.reset();
  });
}

void ZmqListener::skip_rest(zmq::message_t& message) {
  // libzmq hands over whole messages, so that the parts are all there.
  while (message.more() && receive(message)) {
  }
}

void ZmqListener::stop_listening() {
  if (ipcs_) ipcs_->remove_paths();
}

void ZmqListener::close() {
  if (!socket_) return;
  if (fd_ >= 0) reactor_.remove(fd_);
  zmq_close(socket_.handle());
  socket_ = {};
  ticker_.reset();
  settler_.reset();
  ipcs_->clear();
}

}  // namespace outrider::sidecar
