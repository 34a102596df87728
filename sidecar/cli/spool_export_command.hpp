// `outrider spool export`: the events of a spool as lines of JSON on stdout.
#pragma once

#include <string>
#include <vector>

namespace outrider::sidecar {

int spool_export_command(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
