#include "sdk/src/link.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <new>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/host.hpp"
#include "sdk/src/worker.hpp"

namespace outrider::sdk {
namespace {

constexpr const char* monitor_endpoint_prefix = "inproc://outrider-monitor-";

constexpr std::chrono::milliseconds give_up_interval{20};

constexpr std::string_view inproc_prefix = "inproc://";
constexpr std::string_view ipc_prefix = "ipc://";
constexpr std::string_view tcp_prefix = "tcp://";

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, port);
  return read.ec == std::errc{} && read.ptr == end && port > 0;
}

/// libzmq aborts the process where it runs out of descriptors while it starts.
bool are_descriptors_left() {
  std::array<int, 24> fds;
  fds.fill(-1);
  bool are_left = true;
  for (int& fd : fds) {
    fd = eventfd(0, EFD_CLOEXEC);
    are_left &= fd >= 0;
  }
  for (const int fd : fds) {
    if (fd >= 0) ::close(fd);
  }
  return are_left;
}

bool set_int(void* socket, int option, int value) {
  return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

/// Waits until the data of its sockets is sent, or the time for that is over.
void end_context(void* context) {
  while (zmq_ctx_term(context) != 0 && zmq_errno() == EINTR) {
  }
}

bool bound_what_comes(void* socket, LinkKind kind) {
  // An answer has 30 KiB at most, and one of a later version no more than this.
  constexpr std::int64_t message_bytes_max = 1 << 20;
  const int messages_max = kind == LinkKind::push ? 1 : 64;
  return zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_bytes_max, sizeof message_bytes_max) ==
             0 &&
         set_int(socket, ZMQ_RCVHWM, messages_max);
}

}  // namespace

bool is_inproc_endpoint(std::string_view endpoint) {
  return endpoint.starts_with(inproc_prefix);
}

bool is_usable_endpoint(std::string_view endpoint) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; };
  if (std::ranges::any_of(endpoint, is_control)) return false;
  if (endpoint.starts_with(inproc_prefix)) return endpoint.size() > inproc_prefix.size();
  if (endpoint.starts_with(ipc_prefix)) {
    const std::string_view path = endpoint.substr(ipc_prefix.size());
    // `*` is a path only where a socket is bound.
    return !path.empty() && path.front() != '*' && path.size() < sizeof(sockaddr_un::sun_path);
  }
  if (!endpoint.starts_with(tcp_prefix)) return false;
  const std::string_view address = endpoint.substr(tcp_prefix.size());
  const std::size_t colon = address.rfind(':');
  return colon != std::string_view::npos && proto::is_host(address.substr(0, colon)) &&
         is_port(address.substr(colon + 1));
}

struct Link::Frame {
  Frame() { zmq_msg_init(&message); }
  ~Frame() { zmq_msg_close(&message); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  zmq_msg_t message;
};

struct Link::Sockets {
  void* socket = nullptr;
  void* monitor = nullptr;  ///< none for inproc

  ~Sockets() {
    if (monitor != nullptr) {
      // First: otherwise the remaining events of libzmq reach nobody and leak.
      zmq_socket_monitor(socket, nullptr, 0);
      zmq_close(monitor);
    }
    if (socket != nullptr) zmq_close(socket);
  }
};

Link::Link(LinkOptions options) : options_(std::move(options)), frame_(std::make_unique<Frame>()) {}
Link::~Link() {
  close(0);
}

bool Link::is_open() const {
  return sockets_ != nullptr;
}

bool Link::open() {
  // A context starts its threads with its first socket, and aborts the process where it cannot.
  if (!are_descriptors_left() || (!has_threads_ && !are_threads_left())) return false;
  auto sockets = std::make_unique<Sockets>();
  if (context_ == nullptr) {
    context_ = is_inproc_endpoint(options_.endpoint) ? options_.inproc_context : zmq_ctx_new();
  }
  if (context_ == nullptr) return false;
  const int type = options_.kind == LinkKind::push ? ZMQ_PUSH : ZMQ_DEALER;
  sockets->socket = zmq_socket(context_, type);
  void* const socket = sockets->socket;
  has_threads_ |= socket != nullptr;
  // Not ZMQ_IMMEDIATE: a frame in the pipe must survive a reconnect.
  if (socket == nullptr || !set_int(socket, ZMQ_SNDHWM, options_.send_frames_max) ||
      !set_int(socket, ZMQ_LINGER, 0) || !bound_what_comes(socket, options_.kind) ||
      !set_int(socket, ZMQ_HEARTBEAT_IVL, options_.heartbeat_ms) ||
      !set_int(socket, ZMQ_RECONNECT_IVL, options_.reconnect_initial_ms) ||
      !set_int(socket, ZMQ_RECONNECT_IVL_MAX, options_.reconnect_max_ms)) {
    return false;
  }
  // A socket within the process is always there, and libzmq tells nothing about it.
  is_connected_ = is_inproc_endpoint(options_.endpoint);
  if (!is_connected_) {
    // Never the same name twice: libzmq forgets an old one only after a while.
    static std::atomic<std::uint64_t> monitors = 0;
    const std::string name = monitor_endpoint_prefix + std::to_string(++monitors);
    sockets->monitor = zmq_socket(context_, ZMQ_PAIR);
    if (sockets->monitor == nullptr || !set_int(sockets->monitor, ZMQ_LINGER, 0) ||
        zmq_socket_monitor(socket, name.c_str(),
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                               ZMQ_EVENT_DISCONNECTED) != 0 ||
        zmq_connect(sockets->monitor, name.c_str()) != 0) {
      return false;
    }
  }
  if (zmq_connect(socket, options_.endpoint.c_str()) != 0) return false;
  sockets_ = std::move(sockets);
  return true;
}

void Link::wait(int wake_fd, bool for_room, long timeout_ms) {
  std::array<zmq_pollitem_t, 3> items{};
  int count = 0;
  items[static_cast<std::size_t>(count++)] = {nullptr, wake_fd, ZMQ_POLLIN, 0};
  if (is_open()) {
    if (sockets_->monitor != nullptr) {
      items[static_cast<std::size_t>(count++)] = {sockets_->monitor, 0, ZMQ_POLLIN, 0};
    }
    const int events =
        (for_room ? ZMQ_POLLOUT : 0) | (options_.kind == LinkKind::dealer ? ZMQ_POLLIN : 0);
    if (events != 0) {
      items[static_cast<std::size_t>(count++)] = {sockets_->socket, 0, static_cast<short>(events),
                                                  0};
    }
  }
  zmq_poll(items.data(), count, timeout_ms);
  std::uint64_t wakes;
  if ((items[0].revents & ZMQ_POLLIN) != 0 && ::read(wake_fd, &wakes, sizeof wakes) < 0) return;
  if (is_open() && sockets_->monitor != nullptr) read_monitor();
}

void Link::read_monitor() {
  // Two parts an event: 2 bytes of number and 4 of value, then the address.
  std::array<std::uint8_t, 256> part;
  for (;;) {
    const int bytes = zmq_recv(sockets_->monitor, part.data(), part.size(), ZMQ_DONTWAIT);
    if (bytes < 2) return;
    std::uint16_t event;
    std::memcpy(&event, part.data(), sizeof event);
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) {
      is_torn_ = true;
    } else if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      is_connected_ = true;
    } else {
      // If libzmq does not understand a peer before its handshake is complete, it never tries
      // again.
      is_given_up_ = !is_connected_ && !is_torn_;
      is_connected_ = is_torn_ = false;
      ++disconnects_;
    }
    zmq_recv(sockets_->monitor, part.data(), part.size(), ZMQ_DONTWAIT);
  }
}

std::uint8_t* Link::make_frame(std::size_t bytes) {
  zmq_msg_t& message = frame_->message;
  zmq_msg_close(&message);
  if (zmq_msg_init_size(&message, bytes) == 0) {
    return static_cast<std::uint8_t*>(zmq_msg_data(&message));
  }
  zmq_msg_init(&message);
  return nullptr;
}

bool Link::send() {
  return zmq_msg_send(&frame_->message, sockets_->socket, ZMQ_DONTWAIT) >= 0;
}

bool Link::receive(std::string& message) {
  zmq_msg_t part;
  zmq_msg_init(&part);
  const bool has_message = zmq_msg_recv(&part, sockets_->socket, ZMQ_DONTWAIT) >= 0;
  if (has_message) {
    message.clear();
    try {
      message.assign(static_cast<const char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
    } catch (const std::bad_alloc&) {
    }
    while (zmq_msg_more(&part) != 0 && zmq_msg_recv(&part, sockets_->socket, ZMQ_DONTWAIT) >= 0) {
      message.clear();
    }
  }
  zmq_msg_close(&part);
  return has_message;
}

bool Link::hand_over(int timeout_ms, const std::function<bool()>& is_given_up) {
  // Within the process there is no pipe in between.
  if (sockets_->monitor == nullptr) return true;
  struct Closing {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_done = false;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  const auto closing = std::make_shared<Closing>();
  set_int(sockets_->socket, ZMQ_LINGER, timeout_ms);
  discard();
  has_threads_ = false;
  void* const context = std::exchange(context_, nullptr);
  std::thread closer = start_thread([context, closing] {
    end_context(context);
    const std::lock_guard guard(closing->mutex);
    closing->is_done = true;
    closing->changed.notify_one();
  });
  if (closer.joinable()) {
    closer.detach();
  } else {
    end_context(context);
    return std::chrono::steady_clock::now() < deadline;
  }
  std::unique_lock lock(closing->mutex);
  while (!closing->changed.wait_for(lock, give_up_interval, [&] { return closing->is_done; })) {
    if (is_given_up()) return false;
  }
  return std::chrono::steady_clock::now() < deadline;
}

void Link::discard() {
  is_connected_ = is_torn_ = is_given_up_ = false;
  sockets_.reset();
}

void Link::close(int linger_ms) {
  if (is_open()) set_int(sockets_->socket, ZMQ_LINGER, linger_ms);
  discard();
  if (context_ != nullptr && !is_inproc_endpoint(options_.endpoint)) end_context(context_);
  context_ = nullptr;
  has_threads_ = false;
}

}  // namespace outrider::sdk
