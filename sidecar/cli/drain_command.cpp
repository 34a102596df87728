#include "sidecar/cli/drain_command.hpp"

#include "sidecar/cli/admin_arguments.hpp"

namespace outrider::sidecar {

int drain_command(const std::vector<std::string>& arguments) {
  AdminChoice choice;
  const ArgumentTable table{
      .usage = "outrider drain",
      .rows = with_admin_rows(choice),
      .notes =
          "The sidecar stops as after SIGTERM: it takes no more events, delivers what it "
          "holds\nfor `linger` of [shutdown] at most, and ends.\n",
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  return post_change(table, choice, "/v1/drain", "{}",
                     "the sidecar stops: it delivers what it holds, and ends");
}

}  // namespace outrider::sidecar
