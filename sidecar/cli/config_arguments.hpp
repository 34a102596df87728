// The arguments of the commands that read a configuration: --config FILE, and settings that take
// the place of the file's.
//
// Used by `run` and `check`. Pure but for what it prints.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outrider::sidecar {

struct ConfigArguments {
  std::string path;
  std::vector<std::string> settings;  ///< "--shutdown.linger=5s", in the words given
};

/// Returns nothing when the command may go on, else the exit status with which it must end.
std::optional<int> read_config_arguments(std::string_view command,
                                         const std::vector<std::string>& arguments,
                                         ConfigArguments& out);

}  // namespace outrider::sidecar
