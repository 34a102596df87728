// The commands of `outrider`, in one table.
//
// Used by main, and by `outrider help`, which is made from the table. To add a command: one file
// pair with its function and one row in commands.cpp.
// Thread: the main thread. Fails with: an exit status, after one clear line on stderr.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outrider::sidecar {

struct CommandRow {
  std::string_view name;
  std::string_view summary;
  int (*run)(const std::vector<std::string>& arguments);
};
const std::vector<CommandRow>& command_rows();

/// A line for each row: its name, and its summary in a column of its own.
std::string command_table(const std::vector<CommandRow>& rows);

/// Null if there is no command of that name.
const CommandRow* find_command(std::string_view name);

/// Says on stderr that there is no such command, and which one is near. Returns exit_usage.
int refuse_command(std::string_view name);

/// Runs `outrider ARGUMENTS...` and returns its exit status.
int run_command_line(const std::vector<std::string>& arguments);

}  // namespace outrider::sidecar
