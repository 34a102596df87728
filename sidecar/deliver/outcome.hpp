// What an answer means for the batch that was sent: the outcome table.
//
// Used by Destination. Pure functions; the table is in docs/guarantees.md too.
#pragma once

#include <cstdint>

#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

enum class Outcome : std::uint8_t {
  delivered,
  retry,    ///< the same batch again, later
  split,    ///< too large: both halves are tried
  hold,     ///< not authorised: nothing is dropped, the destination is probed until it is
  disable,  ///< gone: nothing is sent there any more
  dead,     ///< this batch will never be taken
};

/// 2xx delivered; 408, 425, 429, 5xx and no answer retry; 413 split; 401, 403 hold; 410 disable;
/// everything else dead.
Outcome outcome_of(AttemptResult result, int status);

}  // namespace outrider::sidecar
