// Whether anybody listens at an endpoint, found out by a connection that is closed at once.
//
// Used by EventSender, which need not wait then. ZeroMQ itself says nothing: it tries for ever.
// Thread: any; waits a second at most, and for the look-up of a name. Fails with: text for people.
#pragma once

#include <string>

namespace outrider::sidecar {

/// Why events cannot get there now: nobody listens, or this user may not connect. Empty: somebody
/// listens, or nobody knows.
std::string why_unreachable(const std::string& endpoint);

}  // namespace outrider::sidecar
