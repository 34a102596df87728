// Half a line at the end of a file, left by a process that was killed in the middle of a write: it
// must not become the beginning of the next line. It is not removed, because it may belong to
// another program.
//
// Used by the parts that append lines to files: WriterTransport and `outrider sink`. Thread: any.
// Cannot fail: if the newline cannot be written, the next line cannot either, and that failure is
// reported.
#pragma once

namespace outrider::sidecar {

/// Ends it, if `fd` appends to a regular file that this process may read.
void end_last_line(int fd);

}  // namespace outrider::sidecar
