// Tells systemd the state of the service (sd_notify's protocol: a datagram to $NOTIFY_SOCKET).
//
// Used by `outrider run`. libsystemd could do it, but would load compression and cryptography
// libraries into a process that should stay small. Does nothing outside systemd; cannot fail.
#pragma once

#include <string_view>

namespace outrider::sidecar {

/// `state` as in sd_notify(3): "READY=1", "STOPPING=1".
void notify_service_manager(std::string_view state);

}  // namespace outrider::sidecar
