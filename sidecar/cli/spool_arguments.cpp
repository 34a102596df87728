#include "sidecar/cli/spool_arguments.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "sidecar/base/journal.hpp"
#include "sidecar/config/load.hpp"

namespace outrider::sidecar {

std::vector<ArgumentRow> with_spool_rows(SpoolChoice& choice, std::vector<ArgumentRow> rows) {
  std::vector<ArgumentRow> all = {
      {"config", "FILE", "the sidecar's configuration, which names the spool",
       store_text(choice.config_file)},
      {"spool", "PATH", "the spool itself, instead of --config", store_text(choice.path)},
  };
  for (ArgumentRow& row : rows) all.push_back(std::move(row));
  return all;
}

std::optional<bool> is_configured(const SpoolChoice& choice, const std::string& destination) {
  if (!choice.configured) return std::nullopt;
  return std::ranges::find(*choice.configured, destination) != choice.configured->end();
}

std::optional<int> read_spool_arguments(const ArgumentTable& table,
                                        const std::vector<std::string>& arguments,
                                        SpoolChoice& choice) {
  if (const auto status = read_arguments(table, arguments)) return status;
  if (choice.config_file.empty() == choice.path.empty()) {
    print_error(table, "give --config FILE or --spool PATH");
    return exit_usage;
  }
  return choice.config_file.empty() ? std::nullopt : settle_spool(table, choice);
}

std::optional<int> settle_spool(const ArgumentTable& table, SpoolChoice& choice) {
  const LoadResult result = load_config(choice.config_file);
  for (const Error& error : result.errors) print_errors(error.message + "\n");
  if (!result.ok()) {
    print_error(table, "to open the spool without the configuration, give --spool PATH");
    return exit_usage;
  }
  const Config& config = result.loaded.config;
  choice.path = config.spool.path;
  if (choice.path.empty()) {
    print_error(table, choice.config_file + " has no spool: [spool] path is not set");
    return exit_usage;
  }
  choice.configured.emplace();
  for (const DestinationConfig& destination : config.destinations) {
    choice.configured->push_back(destination.name);
  }
  return std::nullopt;
}

int with_database(const ArgumentTable& table, const SpoolChoice& choice,
                  const std::function<int(Database&)>& action) {
  auto database = open_to_read(choice.path);
  Status done = status_of(database);
  int status = exit_failed;
  if (done.ok()) {
    done = guarded(choice.path, [&] { status = action(database.value()); });
  }
  if (done.ok()) return status;
  print_error(table, done.error().message);
  return exit_failed;
}

int with_spool(const ArgumentTable& table, const SpoolChoice& choice,
               const std::function<int(Database&, std::string& out)>& action) {
  std::string out;
  const int status = with_database(table, choice, [&](Database& database) {
    const ReadTransaction moment(database);
    return action(database, out);
  });
  std::fputs(out.c_str(), stdout);
  return status;
}

TakeValue store_topic_pattern(std::string& to) {
  return [&to](const std::string& value) -> Status {
    if (Status valid = check_topic_pattern(value); !valid.ok()) return valid;
    to = value;
    return Nothing{};
  };
}

}  // namespace outrider::sidecar
