// ZmqSource: frames from ZeroMQ clients, over ipc, tcp and inproc.
//
// Used by the composition root, which hands it to IngestAgent. One PULL socket is bound to every
// endpoint of the configuration; libzmq takes from its clients in turn. An ipc path is claimed by
// an EndpointGuard, which also gives it its owner and mode.
//
// Thread: the sidecar's one thread; never blocks. The socket's descriptor is registered with the
// Reactor, so that a wait ends when frames come. Its readiness tells of a change only: a caller
// that stops before receive() has returned nothing must not sleep.
// Owns: the socket and the ipc paths. Borrows: the context and the reactor.
// Fails with: an Error when opening; receive() cannot fail.
#pragma once

#include <memory>

#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/ingest/frame_source.hpp"

namespace outrider::sidecar {

/// A ZeroMQ context of the sidecar's own. Embedded mode passes the application's instead, for
/// inproc endpoints reach only sockets of one context. Destroyed after everything that uses it.
class ZmqContext {
 public:
  ZmqContext();
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

  void* get() const;

 private:
  struct Owned;
  std::unique_ptr<Owned> owned_;
};

/// Binds all endpoints or none. For endpoints outside the process it raises the process's soft
/// limit of open files to the hard one, for each client takes a descriptor.
///
/// A message of several parts is no frame: it comes out as one empty view, which ingest refuses and
/// counts. A message beyond four times frame_bytes_max (at least 16 MiB) is not read at all;
/// its client is disconnected.
///
/// stop_listening() removes the ipc paths. A tcp endpoint goes on taking clients until close():
/// to unbind it would cut off those who are connected, and what they have sent.
Result<std::unique_ptr<FrameSource>> open_zmq_source(const IngestConfig& config, void* context,
                                                     Reactor& reactor, Log& log);

}  // namespace outrider::sidecar
