// fault_point: a place where tests end the process, to see the effect of a crash at that point.
//
// Used where an event is on its way from one state to the next. In every program that is shipped
// the function is empty; the test build of the sidecar links another one instead
// (tests/support/fault_point_kill.cpp).
#pragma once

namespace outrider::sidecar {

void fault_point(const char* name);

}  // namespace outrider::sidecar
