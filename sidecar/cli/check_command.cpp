#include "sidecar/cli/check_command.hpp"

#include <cstdio>

#include "sidecar/app/probe.hpp"
#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/journal.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/cli/config_arguments.hpp"
#include "sidecar/config/explain.hpp"

namespace outrider::sidecar {
namespace {

/// The configuration may be somebody else's.
void show(const std::string& lines) {
  std::fputs(printable_lines(lines).c_str(), stdout);
}

int refuse(const std::vector<Error>& errors) {
  for (const Error& error : errors) print_errors(error.message + "\n");
  return exit_usage;
}

/// The status with which `run` would end too.
int print_probe(const ProbeReport& report) {
  for (const std::string& line : report.warnings) show("warning: " + line + "\n");
  if (!report.in_use.empty()) {
    std::printf(
        "note: a sidecar is running with this configuration; %s that it uses %s not checked\n",
        counted(report.in_use.size(), "place").c_str(), report.in_use.size() == 1 ? "was" : "were");
  }
  // Where both go to one place, they stay in order.
  std::fflush(stdout);
  for (const std::string& line : report.errors) print_errors(line + "\n");
  return report.errors.empty() ? exit_done : exit_failed;
}

}  // namespace

int check_command(const std::vector<std::string>& arguments) {
  ConfigArguments given;
  bool lists_all = false;
  bool is_elsewhere = false;
  const std::vector<ArgumentRow> rows = {
      {"all", "", "lists the defaults too", store_switch(lists_all)},
      {"elsewhere", "",
       "for a configuration of another machine or user: does not check sockets, ports and folders",
       store_switch(is_elsewhere)}};
  if (const auto status = read_config_arguments("outrider check", arguments, given, rows)) {
    return *status;
  }
  const LoadResult result = load_config(given.file, given.settings);
  if (!result.ok()) return refuse(result.errors);
  const Now now = SystemClock().now();
  show(explain(result.loaded, now.wall, lists_all ? Listing::all : Listing::given));
  if (is_elsewhere) return exit_done;
  for (const std::string& line : schedules_ahead(result.loaded.config, now)) {
    show("warning: " + line + "\n");
  }
  return print_probe(probe(result.loaded, given.file));
}

}  // namespace outrider::sidecar
