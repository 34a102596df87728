#include "sidecar/cli/config_arguments.hpp"

#include "sidecar/cli/arguments.hpp"
#include "sidecar/cli/commands.hpp"

namespace outrider::sidecar {
namespace {

/// Settings have a dot in their name, options of a command have none.
bool is_setting(std::string_view word) {
  return word.starts_with("--") && word.substr(0, word.find('=')).find('.') != word.npos;
}

}  // namespace

std::optional<int> read_config_arguments(std::string_view command,
                                         const std::vector<std::string>& arguments,
                                         ConfigArguments& out) {
  std::vector<std::string> own;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!is_setting(arguments[i])) {
      own.push_back(arguments[i]);
      continue;
    }
    out.settings.push_back(arguments[i]);
    const bool has_value = arguments[i].find('=') != std::string::npos;
    if (!has_value && i + 1 < arguments.size()) out.settings.push_back(arguments[++i]);
  }
  ArgumentTable table;
  table.usage = "outrider " + std::string(command) + " --config FILE [--SECTION.KEY=VALUE ...]";
  table.rows = {{"config", "FILE", "the configuration file (required)", store_text(out.path)}};
  table.notes =
      "Every setting of the file can be given here too and then takes its place:\n"
      "  --shutdown.linger=5s --destination.audit.url=https://127.0.0.1:8443/\n";
  if (const auto status = read_arguments(table, own)) return status;
  if (!out.path.empty()) return std::nullopt;
  print_error(table, "--config FILE is missing");
  return exit_usage;
}

}  // namespace outrider::sidecar
