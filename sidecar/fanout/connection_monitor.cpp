#include "sidecar/fanout/connection_monitor.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include <zmq.h>

#include "sidecar/net/zmq_socket.hpp"

namespace outrider::sidecar {
namespace {

constexpr int opened = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED;
constexpr int closed = ZMQ_EVENT_DISCONNECTED;
constexpr int retried = ZMQ_EVENT_CONNECT_RETRIED;

/// libzmq's message: the event in two bytes, its value (here a descriptor) in four.
constexpr std::size_t event_bytes = 6;

}  // namespace

void ConnectionMonitor::close() {
  if (fd_ >= 0) reactor_.remove(std::exchange(fd_, -1));
  if (watched_ != nullptr) zmq_socket_monitor(std::exchange(watched_, nullptr), nullptr, 0);
  if (events_ != nullptr) zmq_close(std::exchange(events_, nullptr));
  descriptors_.clear();
  ended_.clear();
}

Status ConnectionMonitor::open(void* context, void* socket) {
  // Never the same name twice: libzmq forgets an old one only after a while.
  static std::atomic<std::uint64_t> monitors = 0;
  const std::string endpoint = "inproc://outrider-connections-" + std::to_string(++monitors);
  const auto failed = [] {
    return Error{std::string("cannot watch the connections: ") + zmq_strerror(zmq_errno())};
  };
  if (zmq_socket_monitor(socket, endpoint.c_str(), opened | closed | retried) != 0) return failed();
  watched_ = socket;
  events_ = zmq_socket(context, ZMQ_PAIR);
  if (events_ == nullptr || zmq_connect(events_, endpoint.c_str()) != 0) return failed();
  fd_ = wake_by_socket(reactor_, events_);
  return fd_ < 0 ? Status(failed()) : Status(Nothing{});
}

std::size_t ConnectionMonitor::count() {
  std::array<unsigned char, 256> part;
  while (zmq_recv(events_, part.data(), part.size(), ZMQ_DONTWAIT) ==
         static_cast<int>(event_bytes)) {
    std::uint16_t event = 0;
    std::int32_t descriptor = 0;
    std::memcpy(&event, part.data(), sizeof event);
    std::memcpy(&descriptor, part.data() + sizeof event, sizeof descriptor);
    const int bytes = zmq_recv(events_, part.data(), part.size(), ZMQ_DONTWAIT);
    if (bytes < 0) break;
    const std::string endpoint(reinterpret_cast<const char*>(part.data()),
                               std::min(static_cast<std::size_t>(bytes), part.size()));
    if ((event & opened) != 0) {
      descriptors_.insert(descriptor);
    } else if ((event & closed) != 0) {
      ended_count_ += descriptors_.erase(descriptor);
      ended_.insert(endpoint);
    }
    // A host's name is its address from the second try on: an unknown one may be any.
    if (event != closed && ended_.erase(endpoint) == 0) ended_.clear();
  }
  return descriptors_.size();
}

}  // namespace outrider::sidecar
