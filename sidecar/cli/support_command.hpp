// `outrider support`: one text file about a running sidecar, for a bug report.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int support_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
