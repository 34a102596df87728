#include "sidecar/sink/sink_command.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>

#include <unistd.h>

#include "sidecar/arguments/arguments.hpp"
#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/arguments/standard_output.hpp"
#include "sidecar/base/journal.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/sink/certificate.hpp"
#include "sidecar/sink/sink_server.hpp"
#include "sidecar/sink/sink_tally.hpp"
#include "sidecar/sink/zstd_decoder.hpp"

namespace outrider::sidecar {
namespace {

struct SinkOptions {
  std::string host = "127.0.0.1";
  int port = 8443;
  bool plain = false;
  std::string cert_out;
  std::string cert_file;
  std::string key_file;
  bool quiet = false;
  bool payload = false;
  std::string output;
  FaultPlan faults;
  std::string retry_after;
  Duration delay{};
  std::uint64_t seed = system_seed();
  std::uint64_t exit_after_events = 0;
  Duration exit_after_idle{};
};

TakeValue store_status(int& to) {
  return [&to](const std::string& value) -> Status {
    const auto parsed = parse_count(value);
    if (!parsed.ok() || parsed.value() < 200 || parsed.value() > 599) {
      return Error{"\"" + value + "\" is not an HTTP status from 200 to 599"};
    }
    to = static_cast<int>(parsed.value());
    return Nothing{};
  };
}

TakeValue store_seconds(std::string& to) {
  return [&to](const std::string& value) -> Status {
    to = value;
    return status_of(parse_count(value));
  };
}

TakeValue store_listen(std::string& host, int& port) {
  return [&host, &port](const std::string& value) -> Status {
    const std::size_t colon = value.rfind(':');
    const auto number = parse_count(colon == std::string::npos ? "" : value.substr(colon + 1));
    if (!number.ok() || number.value() > 65535 || colon == 0) {
      return Error{"\"" + value + "\" is not HOST:PORT, as in 127.0.0.1:8443 or [::1]:0"};
    }
    host = value.substr(0, colon);
    if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    port = static_cast<int>(number.value());
    return Nothing{};
  };
}

ArgumentTable sink_arguments(SinkOptions& options) {
  return {
      .usage = "outrider sink [OPTIONS]",
      .rows =
          {
              {"listen", "HOST:PORT", "where to listen; port 0 is any free port (127.0.0.1:8443)",
               store_listen(options.host, options.port)},
              {"plain", "", "HTTP instead of HTTPS", store_switch(options.plain)},
              {"cert-out", "FILE", "write the certificate here, for a client's ca_file",
               store_text(options.cert_out)},
              {"cert", "FILE", "use this certificate instead of creating one",
               store_text(options.cert_file)},
              {"key", "FILE", "the key of --cert", store_text(options.key_file)},
              {"quiet", "", "count the events, do not print them", store_switch(options.quiet)},
              {"payload", "", "a JSON body is the data of one event, as format = payload sends it",
               store_switch(options.payload)},
              {"output", "FILE", "append each event to this file as a line of JSON",
               store_text(options.output)},
              {"status", "CODE", "answer with this status; events count if it is 2xx (200)",
               store_status(options.faults.status)},
              {"fail-rate", "SHARE", "fail this share of the requests, from 0 to 1",
               store_share(options.faults.fail_rate)},
              {"fail-first", "N", "fail the first N requests",
               store_count(options.faults.fail_first)},
              {"fail-status", "CODE", "the status of a request that fails (503)",
               store_status(options.faults.fail_status)},
              {"retry-after", "SECONDS", "send Retry-After with every answer that is not 2xx",
               store_seconds(options.retry_after)},
              {"delay", "DURATION", "wait before each answer", store_duration(options.delay)},
              {"seed", "N", "repeat the random choices of --fail-rate", store_count(options.seed)},
              {"exit-after", "N", "exit after this many events",
               store_count(options.exit_after_events)},
              {"exit-after-idle", "DURATION", "exit when no request has arrived for this long",
               store_duration(options.exit_after_idle)},
          },
      .notes =
          "With --payload an event is identified by the header Idempotency-Key, a CloudEvent\n"
          "in the binary mode by ce-id. In the summary, bytes is the size of the decompressed\n"
          "bodies.\n\n"
          "Prints \"listening on URL\" first. When a signal (SIGINT, SIGTERM) or one of the\n"
          "--exit options ends it, prints a summary.\n",
  };
}

SinkAnswer refuse(SinkTally& tally, int status, const std::string& reason) {
  tally.count_refused();
  std::fprintf(stderr, "outrider sink: refused a request with %d: %s\n", status, reason.c_str());
  return {.status = status, .body = reason + "\n"};
}

Result<std::string> decode(const SinkRequest& request) {
  if (request.content_encoding.empty() || request.content_encoding == "identity") {
    return request.body;
  }
  if (request.content_encoding == "zstd") {
    return decode_zstd(request.body, SinkServer::body_bytes_max);
  }
  return Error{"the content encoding \"" + printable(request.content_encoding, 64) +
               "\" is none of gzip and zstd"};
}

/// Handles one request, on its connection's thread.
SinkAnswer handle(const SinkRequest& request, const SinkOptions& options, SinkTally& tally) {
  if (!request.is_complete) {
    return refuse(
        tally, 413,
        "the body is incomplete or has more than " + format_size(SinkServer::body_bytes_max));
  }
  const std::optional<BodySyntax> syntax = body_syntax(request.content_type);
  if (!syntax) {
    return refuse(tally, 415,
                  "the content type \"" + printable(request.content_type, 64) +
                      "\" is none of application/json, application/x-ndjson and "
                      "application/msgpack");
  }
  const bool writes = !options.output.empty();
  const bool shows = !options.quiet;
  const Result<std::string> decoded = decode(request);
  if (!decoded.ok()) return refuse(tally, 415, decoded.error().message);
  ReceivedRequest received;
  received.body_bytes = decoded.value().size();
  const Detail detail = shows || writes ? Detail::json : Detail::ids;
  const auto add = [&](const ReceivedEvent& event) { received.add(event, shows, writes); };
  std::optional<Envelope> envelope = request.cloudevent;
  if (!envelope && options.payload) envelope = {.id = request.idempotency_key};
  const Status read = envelope && *syntax == BodySyntax::json
                          ? read_payload(*envelope, decoded.value(), detail, add)
                          : read_body(*syntax, decoded.value(), detail, add);
  if (!read.ok()) return refuse(tally, 400, read.error().message);
  std::this_thread::sleep_for(options.delay);
  const Result<int> status = tally.take(received);
  if (!status.ok()) return refuse(tally, 500, status.error().message);
  SinkAnswer answer{.status = status.value()};
  const bool failed = answer.status < 200 || answer.status > 299;
  if (failed && !options.retry_after.empty()) {
    answer.headers.emplace_back("Retry-After", options.retry_after);
  }
  return answer;
}

Result<std::unique_ptr<Certificate>> prepare_certificate(const SinkOptions& options) {
  if (options.plain) return std::unique_ptr<Certificate>();
  auto certificate = options.cert_file.empty()
                         ? Certificate::make_self_signed()
                         : Certificate::read(options.cert_file, options.key_file);
  if (!certificate.ok()) return certificate.error();
  return std::make_unique<Certificate>(std::move(certificate.value()));
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

/// Returns when a signal or one of the --exit options ends the sink.
void wait_for_end(const SinkOptions& options, const SinkTally& tally) {
  using Clock = std::chrono::steady_clock;
  const bool shows_progress = options.quiet && ::isatty(STDERR_FILENO) != 0;
  const bool watches = options.exit_after_events > 0 || options.exit_after_idle > Duration::zero();
  const sigset_t signals = stop_signals();
  const timespec pause = watches          ? timespec{0, 20'000'000}
                         : shows_progress ? timespec{1, 0}
                                          : timespec{3600, 0};
  auto last_request = Clock::now();
  auto last_progress = last_request;
  std::uint64_t requests = 0;
  while (::sigtimedwait(&signals, nullptr, &pause) < 0) {
    const SinkCounts counts = tally.counts();
    const auto now = Clock::now();
    if (counts.requests != requests) last_request = now;
    requests = counts.requests;
    if (shows_progress && now - last_progress >= std::chrono::seconds(1)) {
      std::fprintf(stderr, "\r%s", summary_line(counts).c_str());
      last_progress = now;
    }
    if (options.exit_after_events > 0 && counts.events >= options.exit_after_events) break;
    if (options.exit_after_idle > Duration::zero() &&
        now - last_request >= options.exit_after_idle) {
      break;
    }
  }
  if (shows_progress) std::fputs("\n", stderr);
}

/// For writes that would block for ever: a stopped terminal, or a full standard error.
void end_within(std::chrono::seconds time) {
  std::signal(SIGALRM, [](int) { ::_exit(exit_failed); });
  ::alarm(static_cast<unsigned>(time.count()));
}

Status check(const SinkOptions& options) {
  if (options.cert_file.empty() != options.key_file.empty()) {
    return Error{"--cert and --key go together"};
  }
  if (options.plain && (!options.cert_file.empty() || !options.cert_out.empty())) {
    return Error{"--plain has no certificate"};
  }
  return Nothing{};
}

}  // namespace

int sink_command(const std::vector<std::string>& arguments) {
  SinkOptions options;
  const ArgumentTable table = sink_arguments(options);
  if (const auto status = read_arguments(table, arguments)) return *status;
  if (const Status checked = check(options); !checked.ok()) {
    print_error(table, checked.error().message);
    return exit_usage;
  }
  SinkTally tally(options.faults, options.seed);
  const auto certificate = prepare_certificate(options);
  Status ready = status_of(certificate);
  if (ready.ok() && !options.output.empty()) ready = tally.open_output(options.output);
  if (!ready.ok()) {
    print_error(table, ready.error().message);
    return exit_failed;
  }
  // Before there are threads, so that all of them leave the signals to wait_for_end(); and not
  // before files are read, which may hang.
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto server = SinkServer::listen(
      options.host, options.port, certificate.value().get(),
      [&](const SinkRequest& request) { return handle(request, options, tally); });
  ready = status_of(server);
  // Not before: another sink may listen there, and its clients may trust the file that is there.
  if (ready.ok() && !options.cert_out.empty()) {
    ready = certificate.value()->write(options.cert_out);
  }
  if (!ready.ok()) {
    print_error(table, ready.error().message);
    return exit_failed;
  }

  const bool is_ipv6 = options.host.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + options.host + "]" : options.host;
  // A client that cannot read it can still send, and sees it at the end.
  [[maybe_unused]] const Status told =
      tally.print("listening on " + std::string(options.plain ? "http" : "https") + "://" + host +
                  ":" + std::to_string(server.value()->port()) + "\n");
  server.value()->start();
  wait_for_end(options, tally);
  constexpr std::chrono::seconds drain_max{2};
  end_within(drain_max + std::chrono::seconds(1));
  tally.close();
  server.value()->drain(drain_max);
  const std::string summary = summary_line(tally.counts());
  const Status printed = tally.print(summary + "\n");
  // Idle connections hold their threads until the clients close them; they end with the process.
  if (printed.ok()) std::quick_exit(exit_done);
  if (has_lost_reader()) {
    print_errors(summary + "\n");
    std::quick_exit(exit_done);
  }
  print_error(table, printed.error().message + "; " + summary);
  std::quick_exit(exit_failed);
}

}  // namespace outrider::sidecar
