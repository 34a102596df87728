// Whether a sidecar listens at an endpoint, found out by connections that are closed at once.
//
// Used by EventSender, which then need not wait. ZeroMQ reports nothing: it tries for ever, or
// gives up silently. Thread: any; waits a second at most, and for the look-up of a name. Fails
// with: text for people.
#pragma once

#include <cstdint>
#include <string>

namespace outrider::sidecar {

/// The two endpoints of a sidecar, which are sockets of different kinds.
enum class EndpointUse : std::uint8_t { ingest, confirm };

/// Why events cannot get there now: nobody listens, or this user or this process may not connect.
/// Empty: somebody listens, or it is unknown.
std::string why_unreachable(const std::string& endpoint, EndpointUse use);

/// That another kind of socket listens there, or that this process may not connect. Empty: neither,
/// or it is unknown.
std::string why_unfit(const std::string& endpoint, EndpointUse use);

}  // namespace outrider::sidecar
