// The combined effects of settings, for `outrider check`: when a batch is sent, how long it is
// retried, when the circuit breaker opens, which events a full queue loses. Used by explain.cpp. A
// setting alone is not described here: its text is in its row of the option table. Pure functions;
// one sentence or two each. No secret is shown.
#pragma once

#include <string>
#include <vector>

#include "sidecar/config/config.hpp"

namespace outrider::sidecar {

using Sentences = std::vector<std::string>;

/// Of one destination.
Sentences consequences(const DestinationConfig& destination, const SpoolConfig& spool);

/// The next runs of a schedule after `now`.
Sentences consequences(const ScheduleConfig& schedule, WallTime now);

/// Of the whole.
Sentences consequences(const Config& config);

}  // namespace outrider::sidecar
