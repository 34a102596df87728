// `outrider drain`: a running sidecar delivers what it holds, and ends.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int drain_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
