// Which addresses are not public: the machine itself, its own network, and all others that a public
// name should not point to.
//
// Used by CurlRequest for deny_private_addresses, which asks for each address that is about to be
// connected to. A table of ranges (IANA's special-purpose registries) and a pure function.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace outrider::sidecar {

/// The kind of a non-public address, as in "loopback"; nothing for a public one. An IPv6 address
/// that represents an IPv4 address (mapped, NAT64, 6to4) is of the same kind as that one. Anything
/// that is neither IPv4 nor IPv6 is not public.
std::optional<std::string_view> private_range(const sockaddr& address);

/// The address without its port, as in 10.0.0.1 or fe80::1.
std::string address_text(const sockaddr& address);

}  // namespace outrider::sidecar
