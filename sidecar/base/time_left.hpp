// time_left(): how long a run loop may sleep until a deadline. The only place that subtracts the
// clock from a deadline: "due or past" and "never" are separate results, and no difference of two
// times overflows.
//
// Used by Host, the simulations and the tests' own loops. Plain function, any thread.
#pragma once

#include <cstdint>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

/// Zero if the deadline is due or past, MonoTime::min() included; `longest` if it is never, or
/// farther away than that.
constexpr Duration time_left(MonoTime deadline, MonoTime now, Duration longest = Duration::max()) {
  if (deadline <= now) return Duration::zero();
  if (deadline == never) return longest;
  // Unsigned, because the difference may be twice as large as either.
  const auto left = static_cast<std::uint64_t>(deadline.time_since_epoch().count()) -
                    static_cast<std::uint64_t>(now.time_since_epoch().count());
  return left < static_cast<std::uint64_t>(longest.count())
             ? Duration(static_cast<Duration::rep>(left))
             : longest;
}

}  // namespace outrider::sidecar
