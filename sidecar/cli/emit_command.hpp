// `outrider emit`: events from a shell to the sidecar, by way of the SDK.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int emit_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
