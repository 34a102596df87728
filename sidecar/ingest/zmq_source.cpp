#include "sidecar/ingest/zmq_source.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <zmq.hpp>

#include "sidecar/base/endpoint_guard.hpp"

namespace outrider::sidecar {

namespace {

constexpr std::string_view ipc_scheme = "ipc://";
constexpr std::string_view tcp_scheme = "tcp://";
constexpr std::string_view inproc_scheme = "inproc://";

/// Per client. libzmq stops reading from a client at this mark, and what a client that ends has
/// left in the kernel's buffer by then is lost; so it is higher than what such a buffer holds.
constexpr int receive_frames_max = 1000;
constexpr int backlog_max = 1024;
constexpr std::int64_t message_bytes_min = 16LL << 20U;

void raise_open_files_limit(Log& log) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) log.warn("cannot raise the limit of open files");
}

class ZmqSource final : public FrameSource {
 public:
  ZmqSource(zmq::socket_ref socket, Reactor& reactor) : socket_(socket), reactor_(reactor) {}
  ~ZmqSource() override { close(); }

  Status open(const IngestConfig& config, Log& log);
  std::optional<proto::ByteView> receive() override;
  void stop_listening() override;
  void close() override;

 private:
  Status bind(const std::string& endpoint, const IngestConfig& config, Log& log);
  Status bind_ipc(const std::string& endpoint, const IngestConfig& config);
  void skip_rest_of_message();

  zmq::socket_ref socket_;  ///< ours; a socket_t takes no context of a handle alone
  Reactor& reactor_;
  int fd_ = -1;
  std::vector<EndpointGuard> guards_;
  zmq::message_t message_;
};

Status ZmqSource::open(const IngestConfig& config, Log& log) {
  socket_.set(zmq::sockopt::rcvhwm, receive_frames_max);
  socket_.set(zmq::sockopt::backlog, backlog_max);
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::ipv6, true);
  socket_.set(zmq::sockopt::tcp_keepalive, 1);
  const std::int64_t message_bytes_max =
      std::max(static_cast<std::int64_t>(config.frame_bytes_max) * 4, message_bytes_min);
  socket_.set(zmq::sockopt::maxmsgsize, message_bytes_max);
  for (const std::string& endpoint : config.endpoints) {
    if (Status status = bind(endpoint, config, log); !status.ok()) return status;
  }
  fd_ = socket_.get(zmq::sockopt::fd);
  reactor_.set(fd_, EPOLLIN, [](std::uint32_t) {});
  return Nothing{};
}

Status ZmqSource::bind(const std::string& endpoint, const IngestConfig& config, Log& log) {
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

Status ZmqSource::bind_ipc(const std::string& endpoint, const IngestConfig& config) {
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

std::optional<proto::ByteView> ZmqSource::receive() {
  if (!socket_) return std::nullopt;
  try {
    if (!socket_.recv(message_, zmq::recv_flags::dontwait)) return std::nullopt;
  } catch (const zmq::error_t& error) {
    // The application that embeds us ends its context: the descriptor would stay ready for ever.
    if (error.num() == ETERM) close();
    return std::nullopt;
  }
  if (message_.more()) {
    skip_rest_of_message();
    return proto::ByteView{};
  }
  return proto::ByteView(message_.data<std::uint8_t>(), message_.size());
}

void ZmqSource::skip_rest_of_message() {
  // libzmq hands over whole messages, so that the parts are all there.
  while (message_.more() && socket_.recv(message_, zmq::recv_flags::dontwait)) {
  }
}

void ZmqSource::stop_listening() {
  for (EndpointGuard& guard : guards_) guard.remove_path();
}

void ZmqSource::close() {
  if (!socket_) return;
  if (fd_ >= 0) reactor_.remove(fd_);
  zmq_close(socket_.handle());
  socket_ = {};
  guards_.clear();
}

}  // namespace

struct ZmqContext::Owned {
  zmq::context_t context;
};

ZmqContext::ZmqContext() : owned_(std::make_unique<Owned>()) {}
ZmqContext::~ZmqContext() = default;

void* ZmqContext::get() const {
  return owned_->context.handle();
}

Result<std::unique_ptr<FrameSource>> open_zmq_source(const IngestConfig& config, void* context,
                                                     Reactor& reactor, Log& log) try {
  void* socket = zmq_socket(context, ZMQ_PULL);
  if (socket == nullptr) throw zmq::error_t();
  auto source = std::make_unique<ZmqSource>(zmq::socket_ref(zmq::from_handle, socket), reactor);
  if (Status status = source->open(config, log); !status.ok()) return status.error();
  return std::unique_ptr<FrameSource>(std::move(source));
} catch (const zmq::error_t& error) {
  return Error{std::string("cannot make the ingest socket: ") + error.what()};
}

}  // namespace outrider::sidecar
