#include "sidecar/cli/health_command.hpp"

#include <chrono>
#include <cstdio>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/cli/admin_arguments.hpp"

namespace outrider::sidecar {
namespace {

constexpr Duration time_max = std::chrono::seconds(1);
constexpr std::size_t reason_bytes_max = 500;

}  // namespace

int health_command(const std::vector<std::string>& arguments) {
  AdminChoice choice;
  bool must_be_ready = false;
  std::string destination;
  const ArgumentTable table{
      .usage = "outrider health [--ready [--destination NAME]]",
      .rows = with_admin_rows(
          choice,
          {{"ready", "", "the sidecar must take events, too", store_switch(must_be_ready)},
           {"destination", "NAME", "with --ready: this destination must be able to send, too",
            store_text(destination)}}),
      .notes = "Ends within a second with 0: good, 1: not good, or nobody answers.\n",
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  if (!destination.empty() && !must_be_ready) {
    print_error(table, "--destination goes with --ready");
    return exit_usage;
  }
  std::string path = must_be_ready ? "/readyz" : "/healthz";
  if (!destination.empty()) path += "?destination=" + escape_url_part(destination);
  return with_admin(table, choice, time_max, [&](AdminClient& client) -> Result<int> {
    const auto reply = client.get(path);
    if (!reply.ok()) return reply.error();
    const std::string reason = printable(trim(reply.value().body), reason_bytes_max);
    if (!reply.value().is_good()) {
      return Error{reason.empty() ? "status " + std::to_string(reply.value().status) : reason};
    }
    std::fputs((reason + "\n").c_str(), stdout);
    return exit_done;
  });
}

}  // namespace outrider::sidecar
