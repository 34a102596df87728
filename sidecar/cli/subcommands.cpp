#include "sidecar/cli/subcommands.hpp"

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/journal.hpp"
#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

void print_help(const std::string& program, const std::vector<CommandRow>& rows) {
  const std::string text = "usage: " + program + " COMMAND [OPTIONS]\n\ncommands:\n" +
                           command_table(rows) + "\n`" + program +
                           " COMMAND --help` shows the options of a command.\n";
  std::fputs(text.c_str(), stdout);
}

int refuse(const std::string& program, const std::string& message) {
  print_errors(program + ": " + message + " (" + program + " --help lists them)\n");
  return exit_usage;
}

}  // namespace

int run_subcommand(std::string_view command, const std::vector<CommandRow>& rows,
                   const std::vector<std::string>& arguments) {
  const std::string program = "outrider " + std::string(command);
  if (arguments.empty()) return refuse(program, "a command is missing");
  const std::string& name = arguments.front();
  if (name == "--help") {
    print_help(program, rows);
    return exit_done;
  }
  std::vector<std::string_view> names;
  for (const CommandRow& row : rows) {
    if (row.name == name) return row.run({arguments.begin() + 1, arguments.end()});
    names.push_back(row.name);
  }
  std::string message = "there is no command \"" + printable(name, 64) + "\"";
  const std::string_view near = nearest(name, names);
  if (!near.empty()) message += "; did you mean \"" + std::string(near) + "\"?";
  return refuse(program, message);
}

}  // namespace outrider::sidecar
