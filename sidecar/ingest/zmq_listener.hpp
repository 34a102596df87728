// ZmqListener: a ZeroMQ socket that is bound to endpoints of the configuration and wakes the
// reactor.
//
// Used by ZmqSource (PULL) and ZmqConfirmSource (ROUTER). An ipc path is claimed by an
// EndpointGuard, which also gives it its owner and mode. For endpoints outside the process it
// raises the process's soft limit of open files to the hard one, for each client takes a
// descriptor.
//
// Thread: the sidecar's one; never blocks. Owns: the socket and the ipc paths. Borrows: the
// reactor.
#pragma once

#include <string>
#include <vector>

#include <zmq.hpp>

#include "sidecar/base/endpoint_guard.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"

namespace outrider::sidecar {

class ZmqListener {
 public:
  explicit ZmqListener(Reactor& reactor) : reactor_(reactor) {}
  ~ZmqListener();
  ZmqListener(const ZmqListener&) = delete;
  ZmqListener& operator=(const ZmqListener&) = delete;

  /// Binds all endpoints or none. A client's messages beyond `receive_frames_max` wait with it.
  Status open(void* context, zmq::socket_type type, int receive_frames_max,
              const std::vector<std::string>& endpoints, const IngestConfig& config, Log& log);

  /// False: nothing is there, or the socket is closed.
  bool receive(zmq::message_t& message);
  /// The parts behind this one.
  void skip_rest(zmq::message_t& message);

  /// Removes the ipc paths; a tcp endpoint goes on taking clients until close(): to unbind it would
  /// cut off those who are connected, and what they have sent.
  void stop_listening();
  void close();

  bool is_open() const { return static_cast<bool>(socket_); }
  zmq::socket_ref socket() { return socket_; }

 private:
  Status bind(const std::string& endpoint, const IngestConfig& config, Log& log);
  Status bind_ipc(const std::string& endpoint, const IngestConfig& config);

  Reactor& reactor_;
  zmq::socket_ref socket_;  ///< ours; a socket_t takes no context of a handle alone
  int fd_ = -1;
  std::vector<EndpointGuard> guards_;
};

}  // namespace outrider::sidecar
