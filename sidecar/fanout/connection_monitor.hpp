// ConnectionMonitor: how many peers are connected to a ZeroMQ socket, by libzmq's own account of
// its connections. No message of a peer can change the number.
//
// Used by ZmqTransport. Thread: the sidecar's one; never blocks. Owns: the monitor's socket, whose
// descriptor wakes the reactor, so that its events never pile up. Borrows: the watched socket,
// which outlives it, and the reactor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>

#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

class ConnectionMonitor {
 public:
  explicit ConnectionMonitor(Reactor& reactor) : reactor_(reactor) {}
  ~ConnectionMonitor() { close(); }
  ConnectionMonitor(const ConnectionMonitor&) = delete;
  ConnectionMonitor& operator=(const ConnectionMonitor&) = delete;

  /// Before the socket binds or connects.
  Status open(void* context, void* socket);

  void close();

  /// Connections that are open now, also those whose handshake is not over.
  std::size_t count();
  /// As of the last count(): connections that have ended. One that this side has closed is none.
  std::uint64_t ended() const { return ended_count_; }
  /// As of the last count(), of a socket that connects: the connection to an endpoint has ended,
  /// and no new attempt has begun. If that lasts, libzmq has given it up: another kind of socket,
  /// or another service, listens there.
  bool has_given_up() const { return !ended_.empty(); }

 private:
  Reactor& reactor_;
  void* watched_ = nullptr;
  void* events_ = nullptr;
  int fd_ = -1;
  std::uint64_t ended_count_ = 0;
  std::unordered_set<int> descriptors_;
  std::unordered_set<std::string> ended_;  ///< endpoints, until a try begins
};

}  // namespace outrider::sidecar
