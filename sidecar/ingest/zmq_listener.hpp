// ZmqListener: a ZeroMQ socket that is bound to endpoints of the configuration and wakes the
// reactor.
//
// Used by ZmqSource (PULL) and ZmqConfirmSource (ROUTER). Ipc paths are held by IpcEndpoints, which
// it lets look after them once a second. For endpoints outside the process it raises the process's
// soft limit of open files to the hard one, for each client takes a descriptor. What clients may
// take of descriptors and memory is bounded by the SocketGate.
//
// Thread: the sidecar's one; never blocks. Owns: the socket and the ipc paths. Borrows: the
// reactor.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <zmq.hpp>

#include "sidecar/base/ipc_endpoints.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/base/socket_gate.hpp"
#include "sidecar/base/ticker.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/ingest/gate_log.hpp"

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
  /// A ROUTER's first part, which libzmq makes and nobody has sent.
  bool receive_peer(zmq::message_t& message);
  /// The parts behind this one.
  void skip_rest(zmq::message_t& message);

  /// Removes the ipc paths; a tcp endpoint goes on taking clients until close(): to unbind it would
  /// cut off those who are connected, and what they have sent.
  void stop_listening();
  void close();

  bool is_open() const { return static_cast<bool>(socket_); }
  zmq::socket_ref socket() { return socket_; }

 private:
  Status bind(const std::string& endpoint, const IngestConfig& config);
  Status bind_listener(const std::string& endpoint, int fd);
  void look_after();

  Reactor& reactor_;
  Log* log_ = nullptr;
  zmq::socket_ref socket_;  ///< ours; a socket_t takes no context of a handle alone
  int fd_ = -1;
  std::optional<IpcEndpoints> ipcs_;
  std::shared_ptr<Intake> intake_;
  bool was_empty_ = false;  ///< when last looked at
  std::optional<Ticker> ticker_;
  std::optional<GateLog> gate_log_;
};

}  // namespace outrider::sidecar
