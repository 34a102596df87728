// The arguments of one command, as a table of rows that parse, check and document them.
//
// Used by every command. Boost.Program_options splits the words; each row reads its own value and
// describes any error in it. Pure except for the output.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

using TakeValue = std::function<Status(const std::string& value)>;

struct ArgumentRow {
  std::string name;   ///< without the dashes
  std::string value;  ///< placeholder for the value in the help: "FILE"; empty: a switch
  std::string help;
  TakeValue take;  ///< called once at most, for an option with a value; a switch gives ""
};

struct ArgumentTable {
  std::string usage;  ///< the first line of the help, without "usage: "
  std::vector<ArgumentRow> rows{};
  std::size_t positionals_max = 0;  ///< words that are not options
  TakeValue take_positional{};
  std::string notes{};  ///< printed below the options
};

/// Reads the arguments through the table. Returns nothing if the command may continue, otherwise
/// the exit status with which it must end: after `--help`, or after an error was printed.
std::optional<int> read_arguments(const ArgumentTable& table,
                                  const std::vector<std::string>& arguments);

/// Prints "outrider COMMAND: message" on stderr, the command being the usage's second word.
void print_error(const ArgumentTable& table, const std::string& message);

// The usual action of a row: check the value and store it.
TakeValue store_text(std::string& to);
TakeValue store_switch(bool& to);
TakeValue store_duration(Duration& to);
TakeValue store_count(std::uint64_t& to);
TakeValue store_share(double& to);  ///< 0 to 1

}  // namespace outrider::sidecar
