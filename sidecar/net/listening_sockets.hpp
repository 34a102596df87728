// The sockets of this process that listen on an endpoint.
//
// Used by SocketGate, for the sockets that libzmq has bound. Pure except for reading /proc/self/fd.
// Thread: any.
#pragma once

#include <string_view>
#include <vector>

namespace outrider::sidecar {

/// Of `tcp://address:port`; if none has that address, all with the port: a host's own may be among
/// them, but rather one too many than none, where somebody writes addresses in another way.
std::vector<int> listening_sockets(std::string_view endpoint);

}  // namespace outrider::sidecar
