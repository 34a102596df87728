// `outrider health`: whether a running sidecar lives, or is ready. For probes: it takes a second at
// most, and says it by its exit status.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int health_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
