// The outcome table: the meaning of an answer for the batch that was sent.
//
// Used by Destination. Pure functions; the table is in docs/guarantees.md too.
#pragma once

#include <vector>

#include "sidecar/config/destination_config.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

/// 2xx delivered; 408, 421, 425, 429, 5xx and no answer retry; 413 split, but retry if the answer
/// says when to come again; 401, 403, 407 hold; 410 disable, but retry while another url is left;
/// everything else dead. An action for the status goes before that.
Outcome outcome_of(const Completion& completion, const std::vector<StatusAction>& actions);

/// The same for one event of a bulk answer, which has a status and nothing else.
Outcome outcome_of(int status, const std::vector<StatusAction>& actions);

/// The meaning of a split by an action while nothing shows that other requests succeed. A status
/// that usually concerns the receiver (5xx, 401, 410) is temporary until then: in an outage a split
/// would lose every event. One that usually concerns the events remains a split.
Outcome unproved_split(int status);

}  // namespace outrider::sidecar
