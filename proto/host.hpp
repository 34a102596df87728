// The hosts that an endpoint tcp://HOST:PORT may have: names and addresses.
//
// ZeroMQ accepts any text as a host and then tries to connect for ever. Used by the SDK and by the
// sidecar's configuration, which must agree. Pure functions.
#pragma once

#include <string_view>

namespace outrider::proto {

/// A name, an IPv4 address, or an IPv6 address, the last with or without brackets. A name is not
/// looked up; `*` is none.
[[nodiscard]] bool is_host(std::string_view host);

/// As the resolver wants it.
[[nodiscard]] std::string_view without_brackets(std::string_view host);

}  // namespace outrider::proto
