// ZmqSocket: one ZeroMQ socket, with the common part of all externally reachable sockets: options,
// limits, the paths of ipc endpoints, and the reactor that it wakes.
//
// Used by ZmqListener (PULL, ROUTER) and ZmqTransport (PUB, PUSH), which add their own options. The
// SocketGate bounds the input through the endpoints that it is bound to. IpcEndpoints holds the ipc
// paths and checks them once a second. The descriptor becomes ready only on a change: an owner that
// has not received every message must not sleep.
//
// Thread: the sidecar's one; blocks only in bind() (see EndpointGuard). Owns: the socket and the
// ipc paths. Borrows: the context, the reactor and the log. Fails with: an Error of libzmq or of
// the EndpointGuard.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/base/ticker.hpp"
#include "sidecar/net/intake.hpp"
#include "sidecar/net/ipc_endpoints.hpp"

namespace outrider::sidecar {

/// Ends the reactor's wait when something has changed at the socket. Returns its descriptor, to be
/// removed from the reactor before the socket is closed; -1: see zmq_errno().
int wake_by_socket(Reactor& reactor, void* socket);

class ZmqSocket {
 public:
  ZmqSocket(Reactor& reactor, Log& log);
  ~ZmqSocket() { close(0); }
  ZmqSocket(const ZmqSocket&) = delete;
  ZmqSocket& operator=(const ZmqSocket&) = delete;

  /// `type` as in ZMQ_PUB. Who sends more than the messages that `intake` allows is cut off. The
  /// Error is libzmq's reason alone.
  Status open(void* context, int type, std::shared_ptr<Intake> intake);
  void set(int option, int value);

  /// `mode` and `group`, of an ipc path: see EndpointGuard::claim. Where libzmq binds to something
  /// else and fails, zmq_errno() says why.
  Status bind(const std::string& endpoint, std::uint32_t mode, const std::string& group);
  /// The endpoint that it was last bound or connected to, with the port that the system chose.
  std::string last_endpoint() const;

  // Each also lets libzmq take note of its peers, without which the descriptor stays ready.
  bool is_readable() const;
  bool is_writable() const;

  bool is_open() const { return socket_ != nullptr; }
  /// For libzmq's own functions; null when it is closed.
  void* handle() const { return socket_; }

  /// Removes the ipc paths; a tcp endpoint keeps accepting peers until close(), because unbinding
  /// would cut off the connected peers and lose the data that they have sent.
  void stop_listening() { ipcs_.remove_paths(); }
  /// Does not wait; libzmq's threads send on for `linger_ms`. It can be opened again.
  void close(int linger_ms);

 private:
  Status bind_listener(const std::string& endpoint, int fd);
  bool has_event(int event) const;

  Reactor& reactor_;
  void* socket_ = nullptr;
  int fd_ = -1;
  std::shared_ptr<Intake> intake_;
  IpcEndpoints ipcs_;
  std::optional<Ticker> ticker_;  ///< of ipcs_
};

}  // namespace outrider::sidecar
