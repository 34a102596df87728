// `outrider spool info`: the content of a spool, for people or with --json for machines.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int spool_info_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
