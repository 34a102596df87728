#include "sidecar/cli/commands.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/arguments/standard_output.hpp"
#include "sidecar/base/journal.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/cli/changes_command.hpp"
#include "sidecar/cli/check_command.hpp"
#include "sidecar/cli/dead_command.hpp"
#include "sidecar/cli/drain_command.hpp"
#include "sidecar/cli/emit_command.hpp"
#include "sidecar/cli/health_command.hpp"
#include "sidecar/cli/help_command.hpp"
#include "sidecar/cli/log_level_command.hpp"
#include "sidecar/cli/pause_command.hpp"
#include "sidecar/cli/reference_command.hpp"
#include "sidecar/cli/reload_command.hpp"
#include "sidecar/cli/run_command.hpp"
#include "sidecar/cli/spool_command.hpp"
#include "sidecar/cli/stats_command.hpp"
#include "sidecar/cli/support_command.hpp"
#include "sidecar/cli/version_command.hpp"
#include "sidecar/sink/sink_command.hpp"

namespace outrider::sidecar {

const std::vector<CommandRow>& command_rows() {
  static const std::vector<CommandRow> rows = {
      {"run", "runs the sidecar in the foreground", run_command},
      {"check",
       "shows the settings of a configuration and what follows from them, or its errors; changes "
       "nothing",
       check_command},
      {"emit", "sends one event, or lines of JSON from stdin, to the sidecar", emit_command},
      {"sink", "runs a local HTTPS receiver that shows the events it gets and can inject faults",
       sink_command},
      {"stats", "shows what a running sidecar does, once or with --watch", stats_command},
      {"health", "says whether a running sidecar lives, or with --ready takes events",
       health_command},
      {"changes", "lists the last transitions of a running sidecar", changes_command},
      {"pause", "makes a running sidecar send nothing to one destination", pause_command},
      {"resume", "ends such a pause", resume_command},
      {"drain", "makes a running sidecar deliver what it holds, and end", drain_command},
      {"reload", "makes a running sidecar read its configuration again and use it", reload_command},
      {"log-level", "changes the log level of a running sidecar", log_level_command},
      {"support", "writes a text file about a running sidecar for a bug report, without secrets",
       support_command},
      {"spool", "inspects, checks, repairs and exports the spool", spool_command},
      {"dead", "lists, shows, retries or drops dead letters", dead_command},
      {"reference",
       "prints the reference of all settings, or with --example a configuration of all settings",
       reference_command},
      {"version", "prints the version of outrider and of the libraries it uses", version_command},
      {"help", "prints this list, or the options of one command", help_command},
  };
  return rows;
}

std::string command_table(const std::vector<CommandRow>& rows) {
  std::size_t width = 0;
  for (const CommandRow& row : rows) width = std::max(width, row.name.size());
  std::string text;
  for (const CommandRow& row : rows) {
    std::string name(row.name);
    name.resize(width + 2, ' ');
    text += "  " + name + std::string(row.summary) + "\n";
  }
  return text;
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
  print_errors(line);
  return exit_usage;
}

/// A descriptor 0, 1 or 2 that is closed would be given to the next socket, and be written to. Each
/// is opened the wrong way round, so that a read of 0 and a write to 1 or 2 fail as they would.
static void fill_standard_descriptors() {
  constexpr int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // Those below are open, so that this one is given.
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", modes[fd]);
  }
}

int run_command_line(const std::vector<std::string>& arguments) {
  fill_standard_descriptors();
  // Each is the error of a write, which says more.
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
  if (arguments.empty()) {
    print_errors("outrider: a command is missing (outrider help lists them)\n");
    return exit_usage;
  }
  std::string name = arguments.front();
  if (name == "--version") name = "version";
  if (name == "--help" || name == "-h") name = "help";
  const CommandRow* command = find_command(name);
  if (command == nullptr) return refuse_command(name);
  const int status = command->run({arguments.begin() + 1, arguments.end()});
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  if (has_lost_reader()) return status;
  print_errors("outrider: cannot write to standard output\n");
  return status == exit_done ? exit_failed : status;
}

}  // namespace outrider::sidecar
