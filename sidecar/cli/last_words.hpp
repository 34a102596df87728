// The last line of a process that ends in the middle: out of memory, an error that nobody has
// caught, a library that gives up, or a stop that hangs.
//
// Used by run_command() and ProcessSignals. Without it there is a line of the C++ library without
// time and level, or none. Takes no memory and no lock when it happens, for both may be what is
// missing, and never waits: where standard error has no room, the process ends without the line.
// Thread: install from the main thread, once; the line comes from whichever has failed.
#pragma once

#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

/// From now on std::terminate(), abort() and the signals of a crash (SIGSEGV, SIGBUS, ...) write a
/// line with the cause and end the process with exit_broken. A stack that overflows has no room for
/// it: the signal itself ends the process.
void install_last_words(LogFormat format);

/// Ends the process now, with a line of the level error in the log's format; of the causes' bytes
/// at most 200 are said.
[[noreturn]] void end_process(int status, const char* message, const char* cause);

}  // namespace outrider::sidecar
