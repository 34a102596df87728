// `outrider spool`: inspects the spool's file, checks it, and exports its content.
//
// One row a subcommand. Works beside a running sidecar and without one.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int spool_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
