// WriterTransport: appends bodies to a file, or writes them to standard output.
//
// Used by destinations of type file and stdout. A write to a full disk, a hanging file server or a
// stopped pipe blocks, so each transport writes in a small thread of its own, one body at a time;
// completions come back through an eventfd on the Reactor. Nobody but this destination waits.
//
// Thread: all members from the sidecar's one thread. Owns: the thread, the file, and a copy of each
// body that waits, so that cancel() leaves the thread nothing that could go away under it.
//
// A file is opened with O_APPEND, created with mode 0640, and opened again after an error and when
// the path means another file than before (a log rotation has moved it away). A body that could be
// written only in part is cut off again, so that no half record stands before the next. A pipe
// takes nothing back: there the detail says how much has gone out. One that nobody reads fails each
// attempt until somebody does, from the start on. Where bodies are lines, half a
// line that a killed process has left at the file's end is ended first: it spoils itself and no
// other.
//
// cancel() and the destructor do not wait for a write that hangs: it may still come to its end, as
// may a request whose answer is not awaited any more.
#pragma once

#include <memory>

#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

/// Fails if the file cannot be opened, unless it is a pipe that nobody reads yet.
Result<std::unique_ptr<Transport>> make_file_transport(const DestinationConfig& config,
                                                       Reactor& reactor);

/// Standard output; `fd` is not closed.
Result<std::unique_ptr<Transport>> make_stdout_transport(const DestinationConfig& config,
                                                         Reactor& reactor, int fd = 1);

}  // namespace outrider::sidecar
