#include "sidecar/cli/check_command.hpp"

#include <cstdio>

#include "sidecar/cli/commands.hpp"
#include "sidecar/cli/config_arguments.hpp"
#include "sidecar/config/explain.hpp"

namespace outrider::sidecar {

int check_command(const std::vector<std::string>& arguments) {
  ConfigArguments config;
  if (const auto status = read_config_arguments("outrider check", arguments, config)) {
    return *status;
  }
  const CheckReport report = check_config(config.file, config.settings);
  std::fputs(report.text.c_str(), report.is_valid ? stdout : stderr);
  return report.is_valid ? exit_done : exit_usage;
}

}  // namespace outrider::sidecar
