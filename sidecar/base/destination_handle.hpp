// DestinationHandle: the number of a destination within one run of the sidecar.
//
// Used wherever a message, a group or a counter names a destination: between router, dispatcher,
// spool and storage thread. A handle is given out once. After its destination has been removed it
// means "gone", and never another destination. The first ones are the places in the configuration
// that the sidecar started with. On disk a destination goes by its name and DestinationId instead.
#pragma once

#include <cstdint>

namespace outrider::sidecar {

using DestinationHandle = std::uint32_t;

}  // namespace outrider::sidecar
