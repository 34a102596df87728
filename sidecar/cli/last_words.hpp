// The last line of a process that ends unexpectedly: out of memory, an uncaught exception, a
// library that aborts, or a shutdown that hangs.
//
// Used by run_command() and ProcessSignals. Otherwise there would be a line of the C++ library
// without time and level, or none. Writing the line takes no memory and no lock, because either may
// be the cause, and never waits: if standard error has no room, the process ends without the line.
// Thread: install from the main thread, once; the thread that fails writes the line.
#pragma once

#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

/// From now on std::terminate(), abort() and the signals of a crash (SIGSEGV, SIGBUS, ...) write a
/// line with the cause and end the process with exit_broken. A stack that overflows has no room for
/// it: the signal itself ends the process.
void install_last_words(LogFormat format);

/// Ends the process now, with a line of the level error in the log's format; it shows at most 200
/// bytes of the causes.
[[noreturn]] void end_process(int status, const char* message, const char* cause);

}  // namespace outrider::sidecar
