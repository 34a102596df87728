// `outrider stats`: what a running sidecar does, for people, with --json for machines, with --watch
// again and again.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int stats_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
