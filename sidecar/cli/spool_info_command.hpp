// `outrider spool info`: what a spool holds, for people or with --json for machines.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int spool_info_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
