// `outrider reference`: the documents that are made from the tables of options and metrics.
//
// Used by `./dev docs` and by anybody who wants a configuration to begin with. Prints to stdout.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int reference_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
