// `outrider reload`: makes a running sidecar read its configuration again, waits for the end of
// that, and prints what has changed or every error. Exit status: 0 it is in use; 2 it is refused; 1
// something else went wrong. With 1 and 2 nothing has changed.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int reload_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
