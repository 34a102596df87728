// The jobs of a running sidecar on its dead letters: `outrider dead jobs` and `cancel`.
//
// Used by dead_command.cpp. Fails with: an exit status, after one clear line.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int dead_jobs_command(const std::vector<std::string>& arguments);
int dead_cancel_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
