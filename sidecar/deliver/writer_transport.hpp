// WriterTransport: appends bodies to a file, or writes them to standard output.
//
// Used by destinations of type file and stdout. A write to a full disk, a hanging file server or a
// stopped pipe blocks, so each transport writes on its own thread, one body at a time; completions
// return through an eventfd on the Reactor. Only this destination waits.
//
// Thread: all members from the sidecar's one thread. Owns: the thread, the file, and a copy of each
// body that waits, so that the thread can keep using it after cancel().
//
// A file is opened with O_APPEND, created with mode 0640, and opened again after an error and when
// the path leads to another file (after a log rotation). A body that could be written only in part
// is cut off again, so that no half record precedes the next. A pipe cannot take bytes back: the
// detail says how many were written. A pipe without a reader fails every attempt until there is
// one. If bodies are lines, half a line that a killed process left at the file's end is ended
// first, so that it spoils no other line.
//
// cancel() and the destructor do not wait for a write that hangs. It may still complete later, as
// may a request whose answer nobody awaits any more.
#pragma once

#include <memory>

#include "sidecar/base/reactor.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

// The first step of each touches the file alone, and the second the reactor alone.
Result<FinishTransport> prepare_file_transport(const DestinationConfig& config, Reactor& reactor);
Result<FinishTransport> prepare_stdout_transport(const DestinationConfig& config, Reactor& reactor,
                                                 int fd = 1);

/// Fails if the file cannot be opened, unless it is a pipe that has no reader yet.
Result<std::unique_ptr<Transport>> make_file_transport(const DestinationConfig& config,
                                                       Reactor& reactor);

/// Standard output; `fd` is not closed.
Result<std::unique_ptr<Transport>> make_stdout_transport(const DestinationConfig& config,
                                                         Reactor& reactor, int fd = 1);

}  // namespace outrider::sidecar
