// `--config FILE [--SECTION.KEY VALUE ...]`, the arguments of `outrider run` and `outrider check`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sidecar/arguments/arguments.hpp"

namespace outrider::sidecar {

struct ConfigArguments {
  std::string file;
  std::vector<std::string> settings;  ///< for load_config
};

/// Reads them, and those of `more`; `command` is "outrider run". Gives the exit status if the
/// command must end, as read_arguments does.
std::optional<int> read_config_arguments(const std::string& command,
                                         const std::vector<std::string>& arguments,
                                         ConfigArguments& config,
                                         const std::vector<ArgumentRow>& more = {});

}  // namespace outrider::sidecar
