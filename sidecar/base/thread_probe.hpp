// Whether the system lets this process make threads: libraries abort when it does not.
//
// Used by Host before anything else makes a thread. Thread: any; it makes all the threads at once
// and ends them. Fails with: an Error that names the limits. Another process of the same user may
// still use up the free threads afterwards.
#pragma once

#include <cstddef>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

Status probe_threads(std::size_t count);

/// Those of this process; 0 if they cannot be seen.
std::size_t threads_now();

/// The error text when a thread could not be made, by any part.
Error no_threads(const char* reason);

}  // namespace outrider::sidecar
