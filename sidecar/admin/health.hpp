// Health: whether the sidecar lives, and whether it takes events, as its Snapshot has it.
//
// Used by the admin server for /healthz and /readyz, and by `outrider health`. A destination that
// is down fails neither: its events wait, and a restart would not help. Only who asks for one
// destination by name gets whether that one can send. Thread: any; functions of their arguments.
// The reason names no url and no detail of an answer: both are open to everybody.
#pragma once

#include <string>
#include <string_view>

#include "sidecar/base/clock.hpp"
#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

struct Health {
  bool is_good = false;
  std::string reason;  ///< one line for people; "ok" if it is good
};

/// The loop has been silent for longer than this: it hangs.
inline constexpr Duration loop_silence_max = std::chrono::seconds(2);

/// `snapshot`: the newest, null if there has been none.
Health health_of(const Snapshot* snapshot, Duration age);

/// Ready to take events: healthy and in the phase `running`. `destination`: empty, or one that must
/// be able to send too: neither disabled, held, paused by an operator or by the receiver, nor
/// behind a circuit breaker that is not closed.
Health readiness_of(const Snapshot* snapshot, Duration age, std::string_view destination);

}  // namespace outrider::sidecar
