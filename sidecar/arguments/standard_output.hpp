// Standard output, as the commands see it.
//
// Used by the commands that write much, and where a command ends. Thread: any.
#pragma once

namespace outrider::sidecar {

/// It is a pipe or a socket, and its reader has gone away: as with `| head`, it has all it wanted.
bool has_lost_reader();

}  // namespace outrider::sidecar
