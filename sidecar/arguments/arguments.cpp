#include "sidecar/arguments/arguments.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <set>
#include <sstream>

#include <boost/program_options.hpp>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/journal.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"

namespace outrider::sidecar {
namespace {

namespace po = boost::program_options;

po::options_description describe_options(const ArgumentTable& table) {
  po::options_description options("options", 100);
  for (const ArgumentRow& row : table.rows) {
    if (row.value.empty()) {
      options.add_options()(row.name.c_str(), row.help.c_str());
    } else {
      options.add_options()(row.name.c_str(),
                            po::value<std::vector<std::string>>()->value_name(row.value),
                            row.help.c_str());
    }
  }
  options.add_options()("help", "show this text");
  return options;
}

const ArgumentRow* find_row(const ArgumentTable& table, const std::string& name) {
  for (const ArgumentRow& row : table.rows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::string unknown_option_message(const ArgumentTable& table, const std::string& given) {
  const std::size_t dashes = given.find_first_not_of('-');
  const std::string word = dashes == std::string::npos ? given : given.substr(dashes);
  std::vector<std::string_view> names;
  for (const ArgumentRow& row : table.rows) names.push_back(row.name);
  const std::string_view near = nearest(word, names);
  std::string message = "there is no option " + printable(given, 64);
  if (!near.empty()) message += "; did you mean --" + std::string(near) + "?";
  return message;
}

Status take_options(const ArgumentTable& table, const std::vector<po::option>& options) {
  std::size_t positionals = 0;
  std::set<std::string> given;
  for (const po::option& option : options) {
    if (option.position_key >= 0) {
      const std::string& word = option.value.front();
      if (++positionals > table.positionals_max) {
        return Error{"unexpected argument \"" + printable(word, 64) + "\""};
      }
      if (Status taken = table.take_positional(word); !taken.ok()) return taken;
      continue;
    }
    const ArgumentRow* row = find_row(table, option.string_key);
    if (!given.insert(row->name).second && !row->value.empty()) {
      return Error{"--" + row->name + " is given twice"};
    }
    if (Status taken = row->take(option.value.empty() ? "" : option.value.front()); !taken.ok()) {
      return taken.error().with_prefix("--" + row->name);
    }
  }
  return Nothing{};
}

void print_help(const ArgumentTable& table, const po::options_description& options) {
  std::ostringstream text;
  text << "usage: " << table.usage << "\n\n" << options;
  if (!table.notes.empty()) text << "\n" << table.notes;
  std::fputs(text.str().c_str(), stdout);
}

}  // namespace

std::optional<int> read_arguments(const ArgumentTable& table,
                                  const std::vector<std::string>& arguments) {
  const po::options_description options = describe_options(table);
  std::vector<std::string> words = arguments;
  std::replace(words.begin(), words.end(), std::string("-h"), std::string("--help"));
  try {
    namespace style = po::command_line_style;
    // Without guessing: a prefix that works today may mean something else tomorrow.
    const int exact = style::unix_style & ~style::allow_guessing & ~style::allow_short;
    po::command_line_parser parser(words);
    parser.options(options).style(exact);
    const po::parsed_options parsed = parser.run();
    for (const po::option& option : parsed.options) {
      if (option.string_key != "help") continue;
      print_help(table, options);
      return exit_done;
    }
    const Status taken = take_options(table, parsed.options);
    if (taken.ok()) return std::nullopt;
    print_error(table, taken.error().message);
  } catch (const po::unknown_option& error) {
    print_error(table, unknown_option_message(table, error.get_option_name()));
  } catch (const po::error& error) {
    print_error(table, error.what());
  }
  return exit_usage;
}

void print_error(const ArgumentTable& table, const std::string& message) {
  const std::string command = table.usage.substr(0, table.usage.find(' ', sizeof("outrider")));
  print_errors(command + ": " + message + "\n");
}

TakeValue store_text(std::string& to) {
  return [&to](const std::string& value) -> Status {
    to = value;
    return Nothing{};
  };
}

TakeValue store_switch(bool& to) {
  return [&to](const std::string&) -> Status {
    to = true;
    return Nothing{};
  };
}

TakeValue store_duration(Duration& to) {
  return [&to](const std::string& value) -> Status {
    const auto parsed = parse_duration(value);
    if (!parsed.ok()) return parsed.error();
    to = parsed.value();
    return Nothing{};
  };
}

TakeValue store_count(std::uint64_t& to) {
  return [&to](const std::string& value) -> Status {
    const auto parsed = parse_count(value);
    if (!parsed.ok()) return parsed.error();
    to = parsed.value();
    return Nothing{};
  };
}

TakeValue store_share(double& to) {
  return [&to](const std::string& value) -> Status {
    double share = -1;
    const char* end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, share);
    if (error != std::errc{} || stop != end || !(share >= 0 && share <= 1)) {
      return Error{"\"" + printable(value, 64) + "\" is not a share; write a number from 0 to 1"};
    }
    to = share;
    return Nothing{};
  };
}

}  // namespace outrider::sidecar
