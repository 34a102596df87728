#include "sidecar/cli/pause_command.hpp"

#include <array>
#include <chrono>
#include <cstdio>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/cli/admin_arguments.hpp"

namespace outrider::sidecar {
namespace {

std::string path_of(const std::string& destination, const char* action) {
  return "/v1/destinations/" + escape_url_part(destination) + "/" + action;
}

std::string body_for(Duration duration) {
  if (duration == Duration::zero()) return "{}";
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), R"({"for_s":%.3f})",
                std::chrono::duration<double>(duration).count());
  return text.data();
}

/// 0 would be no pause, and for the sidecar one without an end.
TakeValue store_pause(Duration& to) {
  return [&to](const std::string& value) -> Status {
    const auto parsed = parse_duration(value);
    if (!parsed.ok()) return parsed.error();
    if (parsed.value() == Duration::zero()) {
      return Error{"a pause of 0 is none; leave --for out to pause until `outrider resume`"};
    }
    to = parsed.value();
    return Nothing{};
  };
}

}  // namespace

int pause_command(const std::vector<std::string>& arguments) {
  AdminChoice choice;
  std::string destination;
  Duration duration{};
  const ArgumentTable table{
      .usage = "outrider pause DESTINATION [--for DURATION]",
      .rows = with_admin_rows(
          choice, {{"for", "DURATION", "the pause ends by itself after this time, as in 10m",
                    store_pause(duration)}}),
      .positionals_max = 1,
      .take_positional = take_word(destination),
      .notes =
          "The destination sends nothing new; its events wait, as those of one that is down\n"
          "do, and its ttl runs on. A pause ends with `outrider resume`, after DURATION, or\n"
          "when the sidecar stops.\n",
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  if (destination.empty()) {
    print_error(table, "give DESTINATION; `outrider stats` lists them");
    return exit_usage;
  }
  const std::string until = duration == Duration::zero()
                                ? "until `outrider resume " + destination + "` or a restart"
                                : "for " + format_duration(duration);
  return post_change(table, choice, path_of(destination, "pause"), body_for(duration),
                     "destination " + destination + " is paused " + until + "; its events wait");
}

int resume_command(const std::vector<std::string>& arguments) {
  AdminChoice choice;
  std::string destination;
  const ArgumentTable table{
      .usage = "outrider resume DESTINATION",
      .rows = with_admin_rows(choice),
      .positionals_max = 1,
      .take_positional = take_word(destination),
  };
  if (const auto status = read_arguments(table, arguments)) return *status;
  if (destination.empty()) {
    print_error(table, "give DESTINATION; `outrider stats` lists them");
    return exit_usage;
  }
  return post_change(table, choice, path_of(destination, "resume"), "{}",
                     "destination " + destination + " is not paused");
}

}  // namespace outrider::sidecar
