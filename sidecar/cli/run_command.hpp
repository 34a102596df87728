// `outrider run`: the sidecar, in the foreground.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int run_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
