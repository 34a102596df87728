#include "sidecar/cli/help_command.hpp"

#include <cstdio>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/cli/commands.hpp"

namespace outrider::sidecar {

int help_command(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments.front() != "--help" && arguments.front() != "help") {
    const CommandRow* command = find_command(arguments.front());
    if (command == nullptr) return refuse_command(arguments.front());
    return command->run({"--help"});
  }
  const std::string text =
      "outrider: an async messaging sidecar\n\n"
      "usage: outrider COMMAND [OPTIONS]\n\n"
      "commands:\n" +
      command_table(command_rows()) +
      "\n`outrider help COMMAND` shows the options of a command.\n"
      "exit status: 0 done and nothing lost; 1 failed; 2 usage or configuration;\n"
      "             3 stopped, and events were lost\n";
  std::fputs(text.c_str(), stdout);
  return exit_done;
}

}  // namespace outrider::sidecar
