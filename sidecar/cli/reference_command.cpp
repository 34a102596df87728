#include "sidecar/cli/reference_command.hpp"

#include <cstdio>

#include "sidecar/admin/metrics.hpp"
#include "sidecar/arguments/arguments.hpp"
#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/config/reference.hpp"

namespace outrider::sidecar {

int reference_command(const std::vector<std::string>& arguments) {
  bool wants_example = false;
  bool wants_metrics = false;
  const ArgumentTable table{
      .usage = "outrider reference [--example | --metrics]",
      .rows = {{"example", "",
                "print a configuration of all settings with their defaults, as a starting point",
                store_switch(wants_example)},
               {"metrics", "", "print the page that describes all metrics",
                store_switch(wants_metrics)}},
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  const std::string text = wants_metrics   ? metrics_reference()
                           : wants_example ? configuration_example()
                                           : configuration_reference();
  std::fputs(text.c_str(), stdout);
  return exit_done;
}

}  // namespace outrider::sidecar
