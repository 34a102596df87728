// `outrider changes`: the last transitions of a running sidecar, for people or with --json.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int changes_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
