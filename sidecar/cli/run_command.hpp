// `outrider run`: the sidecar, in the foreground.
//
// Used by the table of commands. Thread: the main thread runs the sidecar; a second one waits for
// SIGTERM and SIGINT. The first signal begins the shutdown (linger, then the ledger on stderr), a
// second one ends the process at once. Fails with: exit_usage for a bad configuration, exit_failed
// when something cannot be opened, exit_events_lost when an accepted event was not delivered.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int run_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
