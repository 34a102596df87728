#include "sidecar/cli/reload_command.hpp"

#include <chrono>
#include <cstdio>
#include <thread>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/journal.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/cli/admin_arguments.hpp"
#include "sidecar/cli/json_view.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::chrono::milliseconds look_interval{100};
/// The sidecar itself gives up earlier.
constexpr std::chrono::seconds wait_max{60};

constexpr long status_pending = 202;
constexpr long status_failed = 409;
constexpr long status_refused = 422;

bool has_outcome(long status) {
  return status == 200 || status == status_failed || status == status_refused;
}

int show(const AdminReply& reply, const JsonView& answer) {
  const bool is_good = reply.is_good();
  answer["lines"].for_each([&](const JsonView& line) {
    const std::string text = printable_lines(line.text()) + "\n";
    is_good ? static_cast<void>(std::fputs(text.c_str(), stdout)) : print_errors(text);
  });
  if (is_good) return exit_done;
  print_errors("outrider reload: the configuration in use stays as it is\n");
  return reply.status == status_refused ? exit_usage : exit_failed;
}

Result<int> reload(AdminClient& client) {
  const auto deadline = std::chrono::steady_clock::now() + wait_max;
  Result<AdminReply> reply = client.post("/v1/reload", "{}");
  for (;;) {
    if (!reply.ok()) return reply.error();
    rapidjson::Document document;
    const bool is_readable = read_answer(reply.value().body, document).ok();
    const JsonView answer = is_readable ? JsonView(document) : JsonView();
    if (has_outcome(reply.value().status) && answer["lines"].is_there()) {
      return show(reply.value(), answer);
    }
    const auto ticket = answer["ticket"].count();
    if (reply.value().status != status_pending || !ticket) {
      const auto body = good_body(std::move(reply));
      return body.ok() ? Error{"the answer is not that of a reload"} : body.error();
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error{"the reload has not ended in time; the log of the sidecar says how it ends"};
    }
    std::this_thread::sleep_for(look_interval);
    reply = client.get("/v1/reload/" + std::to_string(*ticket));
  }
}

}  // namespace

int reload_command(const std::vector<std::string>& arguments) {
  AdminChoice choice;
  const ArgumentTable table{
      .usage = "outrider reload",
      .rows = with_admin_rows(choice),
      .notes =
          "The sidecar reads its configuration again and uses it, with the settings of its\n"
          "command line as they are. If anything is wrong with it, nothing changes. Exit\n"
          "status: 0 it is in use; 2 it has errors or needs a restart; 1 anything else.\n",
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  return with_admin(table, choice, AdminClient::timeout_default, reload);
}

}  // namespace outrider::sidecar
