#include "sidecar/cli/commands.hpp"

#include <csignal>
#include <cstdio>

#include "sidecar/base/text.hpp"
#include "sidecar/cli/check_command.hpp"
#include "sidecar/cli/emit_command.hpp"
#include "sidecar/cli/help_command.hpp"
#include "sidecar/cli/reference_command.hpp"
#include "sidecar/cli/run_command.hpp"
#include "sidecar/cli/sink_command.hpp"
#include "sidecar/cli/version_command.hpp"

namespace outrider::sidecar {

const std::vector<CommandRow>& command_rows() {
  static const std::vector<CommandRow> rows = {
      {"run", "the sidecar, in the foreground", run_command},
      {"check",
       "explains every setting of a configuration, or what is wrong with it; changes nothing",
       check_command},
      {"emit", "sends one event, or lines of JSON from stdin, to the sidecar", emit_command},
      {"sink", "a local HTTPS receiver that shows what arrives, with injectable faults",
       sink_command},
      {"reference", "the page of all settings, or with --example a configuration of all settings",
       reference_command},
      {"version", "the version of outrider and of the libraries it uses", version_command},
      {"help", "this list, or the options of one command", help_command},
  };
  return rows;
}

const CommandRow* find_command(std::string_view name) {
  for (const CommandRow& row : command_rows()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

int refuse_command(std::string_view name) {
  std::vector<std::string_view> names;
  for (const CommandRow& row : command_rows()) names.push_back(row.name);
  const std::string_view near = nearest(name, names);
  std::string line = "outrider: there is no command \"" + printable(name, 64) + "\"";
  if (!near.empty()) line += "; did you mean \"" + std::string(near) + "\"?";
  line += " (outrider help lists them)\n";
  std::fputs(line.c_str(), stderr);
  return exit_usage;
}

int run_command_line(const std::vector<std::string>& arguments) {
  // A reader that has gone away is an error to report, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  if (arguments.empty()) {
    std::fputs("outrider: a command is missing (outrider help lists them)\n", stderr);
    return exit_usage;
  }
  std::string name = arguments.front();
  if (name == "--version") name = "version";
  if (name == "--help" || name == "-h") name = "help";
  const CommandRow* command = find_command(name);
  if (command == nullptr) return refuse_command(name);
  return command->run({arguments.begin() + 1, arguments.end()});
}

}  // namespace outrider::sidecar
