#include "sidecar/cli/config_arguments.hpp"

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/config/overrides.hpp"
#include "sidecar/config/reference.hpp"

namespace outrider::sidecar {

std::optional<int> read_config_arguments(const std::string& command,
                                         const std::vector<std::string>& arguments,
                                         ConfigArguments& config,
                                         const std::vector<ArgumentRow>& more) {
  ArgumentTable table{
      .usage = command + " --config FILE [--SECTION.KEY VALUE ...]",
      .rows = {{"config", "FILE", "the configuration", store_text(config.file)}},
      .positionals_max = 1,
      .take_positional = [](const std::string& word) -> Status {
        return Error{"\"" + printable(word, 200) + "\" is not an option; write --config FILE"};
      },
      .notes = "Each setting can also be given here, where it overrides the file:\n\n" +
               configuration_help(),
  };
  table.rows.insert(table.rows.end(), more.begin(), more.end());
  std::vector<std::string> words = arguments;
  config.settings = take_settings(words);
  if (const auto status = read_arguments(table, words)) return status;
  if (!config.file.empty()) return std::nullopt;
  print_error(table, "--config FILE is missing");
  return exit_usage;
}

}  // namespace outrider::sidecar
