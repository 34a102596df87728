// A listening TCP socket. Used by AdminServer. Fails with: an Error that names the address.
#pragma once

#include <cstdint>

#include "sidecar/base/result.hpp"
#include "sidecar/config/admin_address.hpp"

namespace outrider::sidecar {

/// The descriptor, which does not block; sets the port of `address` if it was 0.
Result<int> listen_on_tcp(AdminAddress& address);

}  // namespace outrider::sidecar
