// Who is at the other end of a connection, for the log: "unix uid=1000 pid=4711", or
// "127.0.0.1:53124". Used by HttpServer. Thread: any.
#pragma once

#include <string>

namespace outrider::sidecar {

/// "unknown" if the system does not say it.
std::string peer_name(int fd);

}  // namespace outrider::sidecar
