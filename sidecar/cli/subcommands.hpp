// `outrider COMMAND SUBCOMMAND ...`: a command that is a table of commands.
//
// Used by `spool` and `dead`. Thread and failures are those of commands.hpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sidecar/cli/commands.hpp"

namespace outrider::sidecar {

/// Runs the row that the first argument names; `command` is its own name.
int run_subcommand(std::string_view command, const std::vector<CommandRow>& rows,
                   const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
