// The last line of a process that ends in the middle: out of memory, an error that nobody has
// caught, or a library that gives up.
//
// Used by run_command(). Without it there is a line of the C++ library without time and level, or
// none. Takes no memory and no lock when it happens, for both may be what is missing.
// Thread: install from the main thread, once; the line comes from whichever has failed.
#pragma once

#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

/// From now on: std::terminate() says why, and abort() that a library has called it; both end the
/// process with exit_broken.
void install_last_words(LogFormat format);

}  // namespace outrider::sidecar
