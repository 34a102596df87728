// What an answer means for the batch that was sent: the outcome table.
//
// Used by Destination. Pure functions; the table is in docs/guarantees.md too.
#pragma once

#include <vector>

#include "sidecar/config/destination_config.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

/// 2xx delivered; 408, 425, 429, 5xx and no answer retry; 413 split; 401, 403, 407 hold; 410
/// disable; everything else dead. An action for the status goes before that.
Outcome outcome_of(AttemptResult result, int status, const std::vector<StatusAction>& actions);

}  // namespace outrider::sidecar
