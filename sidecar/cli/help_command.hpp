// `outrider help [COMMAND]`.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int help_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
