// `outrider pause` and `outrider resume`: whether a running sidecar sends to one destination.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int pause_command(const std::vector<std::string>& arguments);
int resume_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
