// The exit statuses of `outrider`, as scripts and systemd see them. The numbers never change.
// Used by all commands.
#pragma once

namespace outrider::sidecar {

inline constexpr int exit_done = 0;         ///< done, nothing lost
inline constexpr int exit_failed = 1;       ///< failed
inline constexpr int exit_usage = 2;        ///< wrong usage or configuration
inline constexpr int exit_events_lost = 3;  ///< stopped, and events were lost
inline constexpr int exit_broken = 4;       ///< ended in the middle: out of memory, or a bug

}  // namespace outrider::sidecar
