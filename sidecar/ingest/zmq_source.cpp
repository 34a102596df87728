#include "sidecar/ingest/zmq_source.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <zmq.h>

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
  ZmqSource(void* socket, Reactor& reactor) : socket_(socket), reactor_(reactor) {
    zmq_msg_init(&message_);
  }

  ~ZmqSource() override {
    close();
    zmq_msg_close(&message_);
  }

  Status open(const IngestConfig& config, Log& log);
  std::optional<proto::ByteView> receive() override;
  void stop_listening() override;
  void close() override;

 private:
  Status bind(const std::string& endpoint, const IngestConfig& config, Log& log);
  Status bind_ipc(const std::string& endpoint, const IngestConfig& config);
  void set(int option, int value) { zmq_setsockopt(socket_, option, &value, sizeof value); }
  void skip_rest_of_message();

  void* socket_;
  Reactor& reactor_;
  int fd_ = -1;
  std::vector<EndpointGuard> guards_;
  zmq_msg_t message_;
};

Status ZmqSource::open(const IngestConfig& config, Log& log) {
  set(ZMQ_RCVHWM, receive_frames_max);
  set(ZMQ_BACKLOG, backlog_max);
  set(ZMQ_LINGER, 0);
  set(ZMQ_IPV6, 1);
  set(ZMQ_TCP_KEEPALIVE, 1);
  const std::int64_t message_bytes_max =
      std::max(static_cast<std::int64_t>(config.frame_bytes_max) * 4, message_bytes_min);
  zmq_setsockopt(socket_, ZMQ_MAXMSGSIZE, &message_bytes_max, sizeof message_bytes_max);
  for (const std::string& endpoint : config.endpoints) {
    if (Status status = bind(endpoint, config, log); !status.ok()) return status;
  }
  std::size_t bytes = sizeof fd_;
  if (zmq_getsockopt(socket_, ZMQ_FD, &fd_, &bytes) != 0) {
    return Error{std::string("cannot watch the ingest socket: ") + zmq_strerror(zmq_errno())};
  }
  reactor_.set(fd_, EPOLLIN, [](std::uint32_t) {});
  return Nothing{};
}

Status ZmqSource::bind(const std::string& endpoint, const IngestConfig& config, Log& log) {
  const bool is_inproc = endpoint.starts_with(inproc_scheme);
  if (endpoint.starts_with(ipc_scheme)) {
    if (Status status = bind_ipc(endpoint, config); !status.ok()) return status;
  } else if (!is_inproc && !endpoint.starts_with(tcp_scheme)) {
    return Error{"endpoint " + endpoint + ": it must begin with ipc://, tcp:// or inproc://"};
  } else if (zmq_bind(socket_, endpoint.c_str()) != 0) {
    if (zmq_errno() == EADDRINUSE) {
      return Error{"endpoint " + endpoint + " is in use: stop who listens there, or give this " +
                   "sidecar another [ingest] endpoint"};
    }
    return Error{"cannot listen on " + endpoint + ": " + zmq_strerror(zmq_errno())};
  }
  if (!is_inproc) raise_open_files_limit(log);

  char bound[256] = "";
  std::size_t bytes = sizeof bound;
  zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, bound, &bytes);
  log.info("listening", {{"endpoint", bound}});
  return Nothing{};
}

Status ZmqSource::bind_ipc(const std::string& endpoint, const IngestConfig& config) {
  Result<EndpointGuard> guard = EndpointGuard::claim(endpoint.substr(ipc_scheme.size()),
                                                     config.socket_mode, config.socket_group);
  if (!guard.ok()) return guard.error();
  const int listener = guard.value().take_listener();
  set(ZMQ_USE_FD, listener);
  const bool is_bound = zmq_bind(socket_, endpoint.c_str()) == 0;
  const int error = zmq_errno();
  set(ZMQ_USE_FD, -1);
  if (!is_bound) return Error{"cannot listen on " + endpoint + ": " + zmq_strerror(error)};
  guards_.push_back(std::move(guard.value()));
  return Nothing{};
}

std::optional<proto::ByteView> ZmqSource::receive() {
  if (socket_ == nullptr) return std::nullopt;
  int received = -1;
  do {
    received = zmq_msg_recv(&message_, socket_, ZMQ_DONTWAIT);
  } while (received < 0 && zmq_errno() == EINTR);
  if (received < 0) {
    // The application that embeds us ends its context: the descriptor would stay ready for ever.
    if (zmq_errno() == ETERM) close();
    return std::nullopt;
  }
  if (zmq_msg_more(&message_) != 0) {
    skip_rest_of_message();
    return proto::ByteView{};
  }
  return proto::ByteView(static_cast<const std::uint8_t*>(zmq_msg_data(&message_)),
                         zmq_msg_size(&message_));
}

void ZmqSource::skip_rest_of_message() {
  // libzmq hands over whole messages, so that the parts are all there.
  while (zmq_msg_more(&message_) != 0 && zmq_msg_recv(&message_, socket_, ZMQ_DONTWAIT) >= 0) {
  }
}

void ZmqSource::stop_listening() {
  for (EndpointGuard& guard : guards_) guard.remove_path();
}

void ZmqSource::close() {
  if (socket_ == nullptr) return;
  if (fd_ >= 0) reactor_.remove(fd_);
  zmq_close(socket_);
  socket_ = nullptr;
  guards_.clear();
}

}  // namespace

ZmqContext::ZmqContext() : context_(zmq_ctx_new()) {}

ZmqContext::~ZmqContext() {
  while (zmq_ctx_term(context_) != 0 && zmq_errno() == EINTR) {
  }
}

Result<std::unique_ptr<FrameSource>> open_zmq_source(const IngestConfig& config, void* context,
                                                     Reactor& reactor, Log& log) {
  void* socket = zmq_socket(context, ZMQ_PULL);
  if (socket == nullptr) {
    return Error{std::string("cannot create the ingest socket: ") + zmq_strerror(zmq_errno())};
  }
  auto source = std::make_unique<ZmqSource>(socket, reactor);
  if (Status status = source->open(config, log); !status.ok()) return status.error();
  return std::unique_ptr<FrameSource>(std::move(source));
}

}  // namespace outrider::sidecar
