// `outrider check`: validates a configuration and explains it; changes nothing.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int check_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
