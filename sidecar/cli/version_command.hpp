// `outrider --version`.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

/// A line for each.
std::string version_text();

int version_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
