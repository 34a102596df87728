#include "sidecar/ingest/zmq_listener.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <sys/resource.h>

namespace outrider::sidecar {
namespace {

constexpr std::string_view tcp_scheme = "tcp://";
constexpr std::string_view inproc_scheme = "inproc://";
/// After this many bytes, the cost of checking for new peers is negligible.
constexpr std::size_t note_peers_bytes = 4096;
constexpr std::uint64_t message_bytes_min = 16U << 20U;

void raise_open_files_limit(Log& log) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) log.warn("cannot raise the limit of open files");
}

}  // namespace

bool ZmqListener::is_outside(std::string_view endpoint) {
  return !endpoint.starts_with(inproc_scheme);
}

Status ZmqListener::open(void* context, int type, int receive_frames_max,
                         const std::vector<std::string>& endpoints, const IngestConfig& config) {
  const bool is_router = type == ZMQ_ROUTER;
  intake_ = std::make_shared<Intake>(
      ScanLimits{
          .message_bytes_max =
              std::max(std::uint64_t{4} * config.frame_bytes_max, message_bytes_min),
          .peer_types = is_router ? "REQ DEALER ROUTER" : "PUSH",
      },
      Bound::room);
  if (Status status = socket_.open(context, type, intake_); !status.ok()) {
    return status.error().with_prefix("cannot make the ingest socket");
  }
  socket_.set(ZMQ_RCVHWM, receive_frames_max);
  socket_.set(ZMQ_SNDHWM, answers_max);
  socket_.set(ZMQ_LINGER, 0);  // also if the application ends its context before close()
  // A client that comes back under its name is answered, and not the connection that it has left.
  if (is_router) socket_.set(ZMQ_ROUTER_HANDOVER, 1);
  if (std::ranges::any_of(endpoints, is_outside)) raise_open_files_limit(log_);
  for (const std::string& endpoint : endpoints) {
    if (Status status = bind(endpoint, config); !status.ok()) return status;
  }
  return Nothing{};
}

Status ZmqListener::bind(const std::string& endpoint, const IngestConfig& config) {
  const bool is_ipc = endpoint.starts_with(IpcEndpoints::scheme);
  if (!is_ipc && is_outside(endpoint) && !endpoint.starts_with(tcp_scheme)) {
    return Error{"endpoint " + endpoint + ": it must begin with ipc://, tcp:// or inproc://"};
  }
  Status status = socket_.bind(endpoint, config.socket_mode, config.socket_group);
  if (status.ok()) {
    log_.info("listening", {{"endpoint", socket_.last_endpoint()}});
  } else if (!is_ipc && zmq_errno() == EADDRINUSE) {
    return Error{"endpoint " + endpoint +
                 " is in use: stop the program that listens there, or give this " +
                 "sidecar another [ingest] endpoint"};
  }
  return status;
}

bool ZmqListener::receive(zmq::message_t& message) {
  if (!receive_peer(message)) return false;
  intake_->take(message.size());
  return true;
}

bool ZmqListener::receive_peer(zmq::message_t& message) {
  if (!socket_.is_open()) return false;
  // While messages are there, libzmq notes new peers only at each hundredth: large ones take long.
  if (unnoted_bytes_ >= note_peers_bytes) {
    unnoted_bytes_ = 0;
    socket_.is_readable();
  }
  if (zmq_msg_recv(message.handle(), socket_.handle(), ZMQ_DONTWAIT) >= 0) {
    unnoted_bytes_ += message.size();
    return true;
  }
  if (zmq_errno() == ETERM) {
    // The application that embeds us ends its context: the descriptor would stay ready for ever.
    close();
  } else if (intake_->waiting() > 0) {
    settle();
  }
  return false;
}

void ZmqListener::note_answer() {
  if (++unnoted_answers_ < answers_unnoted_max) return;
  unnoted_answers_ = 0;
  socket_.is_readable();
}

/// While the gate is shut nothing may come that would make the owner look again.
void ZmqListener::settle() {
  intake_->settle();
  if (settler_) return;
  settler_.emplace(reactor_, Intake::settle_period, [this] {
    if (!socket_.is_readable()) intake_->settle();
    if (intake_->waiting() == 0) settler_.reset();
  });
}

void ZmqListener::skip_rest(zmq::message_t& message) {
  // libzmq hands over whole messages, so that the parts are all there.
  while (message.more() && receive(message)) {
  }
}

void ZmqListener::close(int linger_ms) {
  socket_.close(linger_ms);
  settler_.reset();
}

}  // namespace outrider::sidecar
