// Telling systemd how the service is doing (sd_notify's protocol: a datagram to $NOTIFY_SOCKET).
//
// Used by `outrider run`. libsystemd would do it too, but brings compression and cryptography
// libraries into a process that is to stay small. Does nothing outside systemd; cannot fail.
#pragma once

#include <string_view>

namespace outrider::sidecar {

/// `state` as in sd_notify(3): "READY=1", "STOPPING=1".
void notify_service_manager(std::string_view state);

}  // namespace outrider::sidecar
