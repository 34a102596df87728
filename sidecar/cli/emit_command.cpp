#include "sidecar/cli/emit_command.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <system_error>

#include <unistd.h>

#include "proto/topic.hpp"
#include "sidecar/arguments/arguments.hpp"
#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/json_data.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/cli/emit_line.hpp"
#include "sidecar/cli/event_sender.hpp"
#include "sidecar/config/endpoint.hpp"

namespace outrider::sidecar {
namespace {

struct EmitOptions {
  SenderOptions sender;
  bool reads_stdin = false;
  std::string confirm_endpoint{};  ///< empty: the default
  Duration delay{};
  std::uint64_t at_ns = 0;
  std::vector<std::string> words{};
};

TakeValue store_endpoint(std::string& to) {
  return [&to](const std::string& value) -> Status {
    to = value;
    const Result<Endpoint> endpoint = parse_connect_endpoint(value);
    if (!endpoint.ok()) return endpoint.error();
    if (endpoint.value().kind != Endpoint::Kind::inproc) return Nothing{};
    return Error{"inproc:// cannot reach a sidecar in another process; write " +
                 std::string("ipc:///PATH or tcp://HOST:PORT")};
  };
}

ArgumentTable emit_arguments(EmitOptions& options) {
  return {
      .usage = "outrider emit [OPTIONS] TOPIC JSON | --stdin",
      .rows =
          {
              {"endpoint", "ENDPOINT",
               "the sidecar's ingest endpoint (" + options.sender.endpoint + ")",
               store_endpoint(options.sender.endpoint)},
              {"confirm", "",
               "exit with 0 only if the sidecar has confirmed that each event is on disk",
               store_switch(options.sender.confirm)},
              {"confirm-endpoint", "ENDPOINT",
               "the sidecar's ingest.confirm_endpoint, for --confirm (" +
                   options.sender.confirm_endpoint + ")",
               store_endpoint(options.confirm_endpoint)},
              {"at", "TIME", "do not deliver before this time, as in 2026-01-31T12:00:00Z",
               [&options](const std::string& value) -> Status {
                 const auto time = parse_date(value);
                 if (!time.ok()) return time.error();
                 options.at_ns = time.value();
                 return Nothing{};
               }},
              {"delay", "DURATION", "do not deliver before this time has passed",
               store_duration(options.delay)},
              {"stdin", "", "read events from stdin, one a line",
               store_switch(options.reads_stdin)},
              {"timeout", "DURATION", "how long to wait for the sidecar (5s)",
               store_duration(options.sender.timeout)},
              {"wait", "", "wait that long even if no sidecar is there yet, or if it has no room",
               store_switch(options.sender.wait)},
          },
      .positionals_max = 2,
      .take_positional = [&options](const std::string& word) -> Status {
        options.words.push_back(word);
        return Nothing{};
      },
      .notes =
          "A line is {\"topic\": \"orders.paid\", \"data\": ...} and may have \"time\", \"id\",\n"
          "\"key\", \"trace\", \"at\", \"ttl\" and \"pri\". A bad line is reported with its\n"
          "number and skipped; the exit status is then 1.\n"
          "An event may have 1MiB at most; with --confirm 64MiB, if the sidecar allows it.\n"
          "A later date needs a sidecar with a [spool]. The sidecar answers whether it accepted\n"
          "the event only with --confirm.\n",
  };
}

/// The outcomes of the lines of stdin.
struct LineCounts {
  std::uint64_t events = 0;
  std::uint64_t bad_lines = 0;
  bool is_stuck = false;  ///< the buffer stayed full for the whole timeout
  int read_error = 0;     ///< errno of stdin; 0: read to its end
};

/// A line on stderr that is written over each second, if stderr is a terminal.
class Progress {
 public:
  void update(std::uint64_t events) {
    if (!is_shown_) return;
    const auto now = Clock::now();
    if (now - last_ < std::chrono::seconds(1)) return;
    const double seconds = std::chrono::duration<double>(now - last_).count();
    std::fprintf(stderr, "\r%llu events, %.0f a second   ", static_cast<unsigned long long>(events),
                 static_cast<double>(events - last_events_) / seconds);
    last_ = now;
    last_events_ = events;
    is_dirty_ = true;
  }

  /// Before anything else is written to stderr.
  void clear() {
    if (is_dirty_) std::fputs("\r\033[K", stderr);
    is_dirty_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool is_shown_ = ::isatty(STDERR_FILENO) != 0;
  bool is_dirty_ = false;
  Clock::time_point last_ = Clock::now();
  std::uint64_t last_events_ = 0;
};

LineCounts send_stdin(EventSender& sender) {
  std::ios::sync_with_stdio(false);
  LineCounts counts;
  Progress progress;
  std::string line;
  errno = 0;
  for (std::uint64_t number = 1; std::getline(std::cin, line); ++number) {
    if (trim(line).empty()) continue;
    std::string reason;
    const Result<EmitEvent> event = read_emit_line(line);
    if (event.ok()) {
      const outrider_status status = sender.send(event.value());
      counts.is_stuck = status == OUTRIDER_TIMEOUT;
      if (counts.is_stuck) break;
      if (status != OUTRIDER_OK) reason = sender.reason(status, event.value());
    } else {
      reason = event.error().message;
    }
    if (reason.empty()) {
      ++counts.events;
    } else {
      ++counts.bad_lines;
      progress.clear();
      std::fprintf(stderr, "line %llu: %s\n", static_cast<unsigned long long>(number),
                   reason.c_str());
    }
    progress.update(counts.events);
    errno = 0;
  }
  // Only errno shows read errors of the stream.
  if (!counts.is_stuck && (std::cin.bad() || errno != 0)) counts.read_error = errno;
  progress.clear();
  return counts;
}

/// Why not all events arrived: the known cause, or the end of the time limit.
std::string failure(EventSender& sender, const SenderOptions& options) {
  if (const std::string refusal = sender.last_refusal(); !refusal.empty()) {
    return "the sidecar at " + options.used_endpoint() + " answered " + refusal;
  }
  if (const std::string obstacle = sender.obstacle(); !obstacle.empty()) {
    return options.used_endpoint() + ": " + obstacle;
  }
  const std::string why = sender.why_waiting();
  return "no sidecar " + std::string(options.confirm ? "confirmed" : "accepted") +
         " all events at " + options.used_endpoint() + " within " +
         format_duration(options.timeout) + (why.empty() ? "" : ": " + why);
}

/// TOPIC and JSON, before anything is asked of a sidecar.
Result<EmitEvent> read_event(const EmitOptions& options) {
  auto data = json_to_msgpack(options.words[1]);
  if (!data.ok()) return data.error();
  if (!proto::is_valid_topic(options.words[0])) {
    return Error{outrider_status_text(OUTRIDER_BAD_TOPIC)};
  }
  const auto delay_ms = std::chrono::ceil<std::chrono::milliseconds>(options.delay).count();
  return EmitEvent{.topic = options.words[0],
                   .data = std::move(data.value()),
                   .at_ns = options.at_ns,
                   .delay_ms = static_cast<std::uint64_t>(delay_ms)};
}

int emit_one(EventSender& sender, const EmitEvent& event, const EmitOptions& options,
             const ArgumentTable& table) {
  if (const auto status = sender.send(event); status != OUTRIDER_OK) {
    print_error(table, sender.reason(status, event));
    return status == OUTRIDER_TIMEOUT ? exit_failed : exit_usage;
  }
  const EventSender::Outcome outcome = sender.finish();
  if (outcome.sent == 1) return exit_done;
  print_error(table, failure(sender, options.sender) +
                         (outcome.unknown > 0 ? "; the event may have arrived" : ""));
  return exit_failed;
}

int emit_stdin(EventSender& sender, const EmitOptions& options, const ArgumentTable& table) {
  const LineCounts counts = send_stdin(sender);
  const EventSender::Outcome outcome = sender.finish();
  std::string report = std::to_string(outcome.sent) + " events ";
  report += options.sender.confirm
                ? "confirmed, " + std::to_string(outcome.refused) + " refused by the sidecar, "
                : "sent, ";
  if (outcome.lost > 0) {
    report +=
        std::to_string(outcome.lost) + (options.sender.confirm ? " not accepted, " : " lost, ");
  }
  if (outcome.unknown > 0) report += std::to_string(outcome.unknown) + " unknown, ";
  report += std::to_string(counts.bad_lines) + " lines refused\n";
  std::fputs(report.c_str(), stderr);
  if (counts.read_error != 0) {
    print_error(table,
                "stdin cannot be read: " + std::generic_category().message(counts.read_error));
    return exit_failed;
  }
  if (counts.is_stuck || outcome.sent + outcome.refused < counts.events) {
    print_error(table, failure(sender, options.sender) +
                           (counts.is_stuck ? "; stdin was not read to its end" : ""));
    return exit_failed;
  }
  return counts.bad_lines + outcome.refused == 0 ? exit_done : exit_failed;
}

/// Checks of option combinations, which the rows of the table cannot make.
std::string misuse(const EmitOptions& options) {
  if (options.reads_stdin != options.words.empty() ||
      (!options.reads_stdin && options.words.size() != 2)) {
    return "give TOPIC and JSON, or --stdin";
  }
  if (!options.confirm_endpoint.empty() && !options.sender.confirm) {
    return "--confirm-endpoint is for --confirm; without it, events go to --endpoint";
  }
  if (options.at_ns != 0 && options.delay != Duration{}) return "give --at or --delay, not both";
  if (options.reads_stdin && (options.at_ns != 0 || options.delay != Duration{})) {
    return "--at and --delay are for one event; with --stdin, a line has its own \"at\"";
  }
  return {};
}

}  // namespace

int emit_command(const std::vector<std::string>& arguments) {
  outrider_options defaults{};
  outrider_options_init(&defaults, sizeof(defaults));
  EmitOptions options{
      .sender = {.endpoint = defaults.endpoint, .confirm_endpoint = defaults.confirm_endpoint}};
  const ArgumentTable table = emit_arguments(options);
  if (const auto status = read_arguments(table, arguments)) return *status;
  if (const std::string message = misuse(options); !message.empty()) {
    print_error(table, message);
    return exit_usage;
  }
  if (!options.confirm_endpoint.empty()) options.sender.confirm_endpoint = options.confirm_endpoint;
  EmitEvent event;
  if (!options.reads_stdin) {
    Result<EmitEvent> read = read_event(options);
    if (!read.ok()) {
      print_error(table, read.error().message);
      return exit_usage;
    }
    event = std::move(read.value());
  }
  EventSender sender(options.sender);
  if (sender.status() != OUTRIDER_OK) {
    print_error(table,
                options.sender.used_endpoint() + ": " + outrider_status_text(sender.status()));
    return sender.status() == OUTRIDER_NO_MEMORY ? exit_failed : exit_usage;
  }
  const std::string obstacle = options.sender.wait ? std::string() : sender.obstacle();
  if (!obstacle.empty()) {
    print_error(table, options.sender.used_endpoint() + ": " + obstacle);
    return exit_failed;
  }
  return options.reads_stdin ? emit_stdin(sender, options, table)
                             : emit_one(sender, event, options, table);
}

}  // namespace outrider::sidecar
