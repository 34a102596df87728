#include "sidecar/cli/log_level_command.hpp"

#include <algorithm>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/level_names.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/cli/admin_arguments.hpp"

namespace outrider::sidecar {
namespace {

TakeValue take_level(std::string& to) {
  return [&to](const std::string& word) -> Status {
    if (std::ranges::find(level_names, word) == level_names.end()) {
      return Error{"\"" + printable(word, 64) + "\" is none of debug, info, warn and error"};
    }
    to = word;
    return Nothing{};
  };
}

}  // namespace

int log_level_command(const std::vector<std::string>& arguments) {
  AdminChoice choice;
  std::string level;
  const ArgumentTable table{
      .usage = "outrider log-level debug | info | warn | error",
      .rows = with_admin_rows(choice),
      .positionals_max = 1,
      .take_positional = take_level(level),
      .notes = "The level holds until the sidecar ends. `level` of [log] is what it starts with.\n",
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  if (level.empty()) {
    print_error(table, "give one of debug, info, warn and error");
    return exit_usage;
  }
  return post_change(table, choice, "/v1/log-level", R"({"level":")" + level + "\"}",
                     "the log level is " + level + " until the sidecar ends");
}

}  // namespace outrider::sidecar
