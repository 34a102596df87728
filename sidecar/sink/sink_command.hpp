// `outrider sink`: a local HTTP or HTTPS receiver that shows what arrives, with injectable faults.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int sink_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
