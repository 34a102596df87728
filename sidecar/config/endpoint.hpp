// ZeroMQ endpoints: ipc://PATH, tcp://HOST:PORT, inproc://NAME.
//
// Used by the option table, by the checks across options and by the probe (app/probe.hpp). Pure
// functions. Fails with: an Error that says what to write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <sys/un.h>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

/// 107: the last of the bytes is a zero.
inline constexpr std::size_t socket_path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;

struct Endpoint {
  enum class Kind : std::uint8_t { ipc, tcp, inproc };
  Kind kind = Kind::ipc;
  std::string path;  ///< ipc; inproc: its name
  // tcp.
  std::string host;        ///< without brackets; "*" is every address of this machine
  std::uint16_t port = 0;  ///< 0: any that is free
};

/// Where to listen: a host is an address or a network interface of this machine, or *; a port may
/// be 0 or *; a path is a file's.
Result<Endpoint> parse_bind_endpoint(std::string_view text);
/// Where to connect to: host and port must be somebody's.
Result<Endpoint> parse_connect_endpoint(std::string_view text);

// The same as checks.
Status check_bind_endpoint(std::string_view text);
Status check_connect_endpoint(std::string_view text);

/// The host is to be looked up with the name service.
bool has_host_name(const Endpoint& endpoint);

/// Nobody outside of this machine can get there. A name other than localhost may lead anywhere.
bool is_on_this_machine(const Endpoint& endpoint);

}  // namespace outrider::sidecar
