// `outrider log-level`: what a running sidecar writes to its log.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int log_level_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
