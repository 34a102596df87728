// Half a line at a file's end, which a process that was killed in the middle of a write has left:
// it must not become the beginning of the next. It is not removed, for whose it is nobody knows.
//
// Used by whatever appends lines to files: WriterTransport and `outrider sink`. Thread: any.
// Cannot fail: what cannot be written fails with the line behind it.
#pragma once

namespace outrider::sidecar {

/// Ends it, if `fd` appends to a regular file that this process may read.
void end_last_line(int fd);

}  // namespace outrider::sidecar
