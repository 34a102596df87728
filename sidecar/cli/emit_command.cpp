#include "sidecar/cli/emit_command.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>

#include <unistd.h>

#include "outrider/outrider.h"
#include "sidecar/base/json_data.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/cli/arguments.hpp"
#include "sidecar/cli/commands.hpp"
#include "sidecar/cli/emit_line.hpp"
#include "sidecar/config/checks.hpp"

namespace outrider::sidecar {
namespace {

struct EmitOptions {
  std::string endpoint;
  bool reads_stdin = false;
  Duration timeout = std::chrono::seconds(5);
  std::vector<std::string> words{};
};

struct FreeClient {
  void operator()(outrider_client* client) const { outrider_client_free(client); }
};
using Client = std::unique_ptr<outrider_client, FreeClient>;

ArgumentTable emit_arguments(EmitOptions& options) {
  return {
      .usage = "outrider emit [OPTIONS] TOPIC JSON | --stdin",
      .rows =
          {
              {"endpoint", "ENDPOINT", "the sidecar's ingest endpoint (" + options.endpoint + ")",
               [&options](const std::string& value) -> Status {
                 options.endpoint = value;
                 return check_endpoint(value);
               }},
              {"stdin", "", "read events from stdin, one a line",
               store_switch(options.reads_stdin)},
              {"timeout", "DURATION", "how long to wait for the sidecar (5s)",
               store_duration(options.timeout)},
          },
      .positionals_max = 2,
      .take_positional = [&options](const std::string& word) -> Status {
        options.words.push_back(word);
        return Nothing{};
      },
      .notes =
          "A line is {\"topic\": \"orders.paid\", \"data\": ...} and may have \"time\", "
          "\"id\", \"key\",\n\"trace\", \"at\", \"ttl\" and \"pri\". A bad line is reported "
          "with its number and passed\nover; the exit status is 1 then.\n",
  };
}

std::uint32_t to_ms(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<std::uint32_t>(std::min<std::int64_t>(ms, 0x7fff'ffff));
}

outrider_status send(outrider_client* client, const EmitEvent& event, Duration timeout) {
  outrider_event out{};
  out.struct_bytes = sizeof(out);
  out.topic = event.topic.data();
  out.topic_bytes = event.topic.size();
  out.data = event.data.data();
  out.data_bytes = event.data.size();
  out.time_ns = event.time_ns;
  out.id = event.id.data();
  out.id_bytes = event.id.size();
  out.id_is_text = event.id.empty() ? 0 : 1;
  out.key = event.key.data();
  out.key_bytes = event.key.size();
  out.trace = event.trace.data();
  out.trace_bytes = event.trace.size();
  out.at_ns = event.at_ns;
  out.ttl_ms = event.ttl_ms;
  out.priority = static_cast<std::int32_t>(event.priority) - 1;
  return outrider_emit_wait(client, &out, to_ms(timeout));
}

/// What became of the lines of stdin.
struct LineCounts {
  std::uint64_t events = 0;
  std::uint64_t bad_lines = 0;
  bool is_stuck = false;  ///< the buffer stayed full for the whole timeout
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

LineCounts send_stdin(outrider_client* client, const EmitOptions& options) {
  std::ios::sync_with_stdio(false);
  LineCounts counts;
  Progress progress;
  std::string line;
  for (std::uint64_t number = 1; std::getline(std::cin, line); ++number) {
    if (trim(line).empty()) continue;
    std::string reason;
    const Result<EmitEvent> event = read_emit_line(line);
    if (event.ok()) {
      const outrider_status status = send(client, event.value(), options.timeout);
      counts.is_stuck = status == OUTRIDER_TIMEOUT;
      if (counts.is_stuck) break;
      if (status != OUTRIDER_OK) reason = outrider_status_text(status);
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
  }
  progress.clear();
  return counts;
}

/// Sends what is buffered and says how many events got out.
std::uint64_t finish(outrider_client* client, Duration timeout) {
  const outrider_status flushed = outrider_flush(client, to_ms(timeout));
  outrider_close(client, flushed == OUTRIDER_OK ? to_ms(timeout) : 0);
  outrider_stats stats{};
  outrider_stats_read(client, &stats, sizeof(stats));
  return stats.shipped_events;
}

std::string no_sidecar(const EmitOptions& options) {
  return "no sidecar took the events at " + options.endpoint + " within " +
         format_duration(options.timeout);
}

int emit_one(outrider_client* client, const EmitOptions& options, const ArgumentTable& table) {
  auto data = json_to_msgpack(options.words[1]);
  if (!data.ok()) {
    print_error(table, data.error().message);
    return exit_usage;
  }
  const EmitEvent event{.topic = options.words[0], .data = std::move(data.value())};
  if (const auto status = send(client, event, options.timeout); status != OUTRIDER_OK) {
    print_error(table, outrider_status_text(status));
    return status == OUTRIDER_TIMEOUT ? exit_failed : exit_usage;
  }
  if (finish(client, options.timeout) == 1) return exit_done;
  print_error(table, no_sidecar(options));
  return exit_failed;
}

int emit_stdin(outrider_client* client, const EmitOptions& options, const ArgumentTable& table) {
  const LineCounts counts = send_stdin(client, options);
  const std::uint64_t sent = finish(client, options.timeout);
  std::fprintf(stderr, "%llu events sent, %llu lines refused\n",
               static_cast<unsigned long long>(sent),
               static_cast<unsigned long long>(counts.bad_lines));
  if (counts.is_stuck || sent < counts.events) {
    print_error(table,
                no_sidecar(options) + (counts.is_stuck ? "; stdin is not read to its end" : ""));
    return exit_failed;
  }
  return counts.bad_lines == 0 ? exit_done : exit_failed;
}

}  // namespace

int emit_command(const std::vector<std::string>& arguments) {
  outrider_options client_options{};
  outrider_options_init(&client_options, sizeof(client_options));
  EmitOptions options{.endpoint = client_options.endpoint};
  const ArgumentTable table = emit_arguments(options);
  if (const auto status = read_arguments(table, arguments)) return *status;
  if (options.reads_stdin != options.words.empty() ||
      (!options.reads_stdin && options.words.size() != 2)) {
    print_error(table, "give TOPIC and JSON, or --stdin");
    return exit_usage;
  }
  client_options.endpoint = options.endpoint.c_str();
  client_options.linger_ms = 0;
  outrider_client* made = nullptr;
  if (const auto status = outrider_client_new(&client_options, &made); status != OUTRIDER_OK) {
    print_error(table, "--endpoint " + options.endpoint + ": " + outrider_status_text(status));
    return exit_usage;
  }
  const Client client(made);
  return options.reads_stdin ? emit_stdin(client.get(), options, table)
                             : emit_one(client.get(), options, table);
}

}  // namespace outrider::sidecar
