// `outrider --version`.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int version_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
