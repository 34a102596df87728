// `outrider dead`: lists the dead letters, shows one, sends them again or drops them.
//
// One row a subcommand. Works beside a running sidecar and without one.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int dead_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
