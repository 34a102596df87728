// The ZeroMQ sockets of ingest: frames from clients, over ipc, tcp and inproc.
//
// Used by the composition root, which gives them to IngestAgent and ConfirmAgent. One PULL socket
// is bound to every endpoint of the configuration, one ROUTER socket to the confirm endpoint;
// libzmq takes from their clients in turn.
//
// Thread: the sidecar's one thread; blocks only in open(). Each socket's descriptor is registered
// with the Reactor, so that a wait ends when frames arrive. It becomes ready only on a change: a
// caller that stops before receive() has returned nothing must not sleep. Borrows: the context, the
// reactor and the log. Fails with: an Error when opening; receive() cannot fail.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/ingest/confirm_source.hpp"
#include "sidecar/ingest/frame_source.hpp"

namespace outrider::sidecar {

/// Binds all endpoints or none.
///
/// A message of several parts is no frame: it comes out as one empty view, which ingest refuses and
/// counts. A message beyond four times frame_bytes_max (at least 16 MiB) is not read at all;
/// its client is disconnected.
Result<std::unique_ptr<FrameSource>> open_zmq_source(const IngestConfig& config, void* context,
                                                     Reactor& reactor, Log& log);

/// Clients connect with DEALER or REQ.
Result<std::unique_ptr<ConfirmSource>> open_zmq_confirm_source(const IngestConfig& config,
                                                               void* context, Reactor& reactor,
                                                               Log& log);

/// Others than this process can connect to one of the endpoints.
bool has_outside_endpoint(const std::vector<std::string>& endpoints);

}  // namespace outrider::sidecar
