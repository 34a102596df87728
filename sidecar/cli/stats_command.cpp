#include "sidecar/cli/stats_command.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

#include <unistd.h>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/arguments/standard_output.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/cli/admin_arguments.hpp"
#include "sidecar/cli/stats_text.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::uint64_t watch_s_default = 2;
constexpr std::uint64_t watch_s_max = 3600;
constexpr const char* clear_screen = "\x1b[H\x1b[2J";

struct StatsOptions {
  AdminChoice choice;
  bool is_json = false;
  bool is_watch = false;
  std::optional<std::uint64_t> watch_s;
};

bool is_terminal() {
  return isatty(STDOUT_FILENO) == 1;
}

bool may_use_colours() {
  const char* no_color = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
  const char* terminal = std::getenv("TERM");      // NOLINT(concurrency-mt-unsafe)
  if (no_color != nullptr && no_color[0] != '\0') return false;
  return is_terminal() && terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

TakeValue store_watch_s(std::optional<std::uint64_t>& to) {
  return [&to](const std::string& word) -> Status {
    const auto seconds = parse_count(word);
    if (!seconds.ok() || seconds.value() < 1 || seconds.value() > watch_s_max) {
      return Error{"\"" + printable(word, 64) + "\" is not a number of seconds from 1 to " +
                   std::to_string(watch_s_max) + ", as in --watch 5"};
    }
    to = seconds.value();
    return Nothing{};
  };
}

/// Shows the numbers, once or again and again.
class Stats {
 public:
  explicit Stats(const StatsOptions& options) : options_(options) {}

  Result<std::string> next(AdminClient& client) {
    const auto body = good_body(client.get("/v1/stats"));
    if (!body.ok()) return body.error();
    if (options_.is_json) return printable_json(body.value());
    rapidjson::Document document;
    if (Status read = read_answer(body.value(), document); !read.ok()) return read.error();
    const JsonView answer(document);
    const StatsMark mark = mark_of(answer, SystemClock().now().mono);
    const StatsRates rates = before_ ? rates_between(*before_, mark) : StatsRates{};
    before_ = mark;
    return render(stats_lines(answer, options_.is_watch ? &rates : nullptr), may_use_colours());
  }

 private:
  const StatsOptions& options_;
  std::optional<StatsMark> before_;
};

/// Ends when nobody reads any more. A sidecar that restarts meanwhile is waited for.
int watch(const StatsOptions& options, AdminClient& client, Stats& stats, std::string text) {
  const bool redraws = is_terminal() && !options.is_json;
  const std::chrono::seconds interval(options.watch_s.value_or(watch_s_default));
  for (;;) {
    const std::string shown =
        (redraws ? clear_screen : "") + text + (redraws || options.is_json ? "" : "\n");
    if (std::fputs(shown.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
      return has_lost_reader() ? exit_done : exit_failed;
    }
    std::this_thread::sleep_for(interval);
    const auto next = stats.next(client);
    text = next.ok() ? next.value() : "";
    if (next.ok()) continue;
    if (options.is_json) {
      std::fputs((next.error().message + "\n").c_str(), stderr);
    } else {
      text = next.error().message + "\n";
    }
  }
}

}  // namespace

int stats_command(const std::vector<std::string>& arguments) {
  StatsOptions options;
  const ArgumentTable table{
      .usage = "outrider stats [--json] [--watch [SECONDS]]",
      .rows = with_admin_rows(
          options.choice,
          {{"json", "", "the sidecar's JSON instead of text", store_switch(options.is_json)},
           {"watch", "", "again every 2 seconds, or every SECONDS, with rates",
            store_switch(options.is_watch)}}),
      .positionals_max = 1,
      .take_positional = store_watch_s(options.watch_s),
      .notes = "Lines that need attention are coloured on a terminal, unless NO_COLOR is set.\n",
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  if (options.watch_s && !options.is_watch) {
    print_error(table, "SECONDS goes with --watch");
    return exit_usage;
  }
  return with_admin(table, options.choice, AdminClient::timeout_default,
                    [&](AdminClient& client) -> Result<int> {
                      Stats stats(options);
                      auto text = stats.next(client);
                      if (!text.ok()) return text.error();
                      if (options.is_watch)
                        return watch(options, client, stats, std::move(text.value()));
                      std::fputs(text.value().c_str(), stdout);
                      return exit_done;
                    });
}

}  // namespace outrider::sidecar
