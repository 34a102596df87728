// The destination types and what makes their transports, in one table.
//
// Used by Host. To add a type: one file pair that implements Transport and one row in
// transports.cpp (and its name in config/options.cpp).
#pragma once

#include <memory>
#include <string_view>

#include "sidecar/base/log.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/transport.hpp"
#include "sidecar/http/curl_transport.hpp"

namespace outrider::sidecar {

/// The parts of the outside world that transports use; outlives them.
struct TransportWorld {
  Reactor& reactor;
  CurlDriver& curl;
  void* zmq_context;
  Log& log;
};

/// Makes the transport of each destination, in two steps.
PrepareTransport transport_preparer(const TransportWorld& world);

}  // namespace outrider::sidecar
