#include "sidecar/cli/run_command.hpp"

#include <cstdlib>
#include <memory>
#include <utility>

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sidecar/app/host.hpp"
#include "sidecar/app/probe.hpp"
#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/base/journal.hpp"
#include "sidecar/base/stderr_log.hpp"
#include "sidecar/cli/config_arguments.hpp"
#include "sidecar/cli/last_words.hpp"
#include "sidecar/cli/process_signals.hpp"
#include "sidecar/cli/service_status.hpp"
#include "sidecar/config/load.hpp"

namespace outrider::sidecar {
namespace {

/// The C library sets 64 MiB of addresses aside for each thread that allocates. Where `ulimit -v`
/// bounds them, the next thread may find none: there all threads share one heap.
void share_heap_where_addresses_are_few() {
  rlimit addresses{};
  if (getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY) {
    mallopt(M_ARENA_MAX, 1);  // NOLINT(concurrency-mt-unsafe): there is no other thread yet
  }
}

/// libcurl writes the keys of all TLS sessions to the file that it names, and waits for the reader
/// of a pipe. True: it was set. Before there are threads.
bool forget_key_log() {
  // NOLINTBEGIN(concurrency-mt-unsafe)
  if (getenv("SSLKEYLOGFILE") == nullptr) return false;
  unsetenv("SSLKEYLOGFILE");
  // NOLINTEND(concurrency-mt-unsafe)
  return true;
}

/// There is no log before there is a configuration; but if the format is already known to be JSON,
/// these lines are JSON too.
int refuse(const LoadResult& result) {
  if (result.loaded.config.log_format == LogFormat::json) {
    StderrLog log(LogLevel::error, LogFormat::json);
    for (const Error& error : result.errors)
      log.error("cannot start", {{"because", error.message}});
  } else {
    for (const Error& error : result.errors) print_errors(error.message + "\n");
  }
  return exit_usage;
}

int fail(const Error& error, Log& log) {
  log.error("cannot start", {{"because", error.message}});
  return exit_failed;
}

int run_host(std::unique_ptr<Host> host, const Config& config, ProcessSignals& signals,
             ServiceStatus& service, StderrLog& log) {
  signals.say_to(host->log());
  signals.serve(*host, Host::stop_time_max(config));
  service.ready();
  host->log().info("ready", {{"version", OUTRIDER_VERSION}, {"pid", std::to_string(getpid())}});
  host->run([&](MonoTime now, bool is_stopping) { return service.turn(now, is_stopping); });
  int status = host->has_losses() ? exit_events_lost : exit_done;
  // Anything that is still running then is ended: a report without a reader, or a library that
  // hangs.
  const MonoTime deadline = host->stop_until() + close_time_max;
  signals.ended(status, deadline);
  log.write_report(host->has_losses() ? LogLevel::error : LogLevel::info, host->report());
  if (!host->close()) {
    log.error("a peer of a fan-out did not read; events that were sent to it may be lost",
              {{"bytes_a_peer_max", std::to_string(Host::unsent_bytes_max)}});
    status = exit_events_lost;
  }
  host.reset();
  log.wait_until_written(deadline);
  return status;
}

/// As at a start, so that a reload takes nothing with which a start would fail. The overrides of
/// the command line stay.
LoadResult load_probed(const ConfigArguments& given) {
  LoadResult result = load_config(given.file, given.settings);
  if (!result.ok()) return result;
  const ProbeReport found = probe(result.loaded, given.file);
  for (const std::string& error : found.errors) result.errors.push_back(Error{error});
  return result;
}

Host::ReloadHooks reload_hooks(const ConfigArguments& given, ServiceStatus& service,
                               ProcessSignals& signals) {
  return {[given] { return load_probed(given); },
          [&service, &signals](bool is_reloading, const Config& in_use) {
            if (is_reloading) return service.reloading(SystemClock().now().mono);
            signals.use(Host::stop_time_max(in_use));
            service.reloaded(in_use.destinations.size());
          }};
}

}  // namespace

int run_command(const std::vector<std::string>& arguments) {
  share_heap_where_addresses_are_few();
  const bool had_key_log = forget_key_log();
  // First of all: a start can hang, in a file system or a pipe.
  block_signals();
  auto started = ProcessSignals::start();
  // Secrets and events must not lie in a core file.
  prctl(PR_SET_DUMPABLE, 0);
  ConfigArguments given;
  if (const auto status = read_config_arguments("outrider run", arguments, given)) return *status;
  const LoadResult result = load_config(given.file, given.settings);
  if (!result.ok()) return refuse(result);
  const Config& config = result.loaded.config;
  install_last_words(config.log_format);
  StderrLog log(config.log_level, config.log_format);
  if (!started.ok()) return fail(started.error(), log);
  // Here, so that it ends before the log.
  const std::unique_ptr<ProcessSignals> signals = std::move(started.value());
  signals->say_to(log);
  if (had_key_log) log.warn("SSLKEYLOGFILE in the environment is ignored; no TLS keys are written");
  for (const std::string& warning : result.loaded.warnings) log.warn(warning);
  // Only opening shows whether something is in use.
  const ProbeReport found = probe(result.loaded, given.file);
  for (const std::string& warning : found.warnings) log.warn(warning);
  for (const std::string& error : found.errors) log.error("cannot start", {{"because", error}});
  if (!found.errors.empty()) return exit_failed;

  ServiceStatus service(config.destinations.size(), watchdog_interval());
  auto host = Host::open(config, log, nullptr, reload_hooks(given, service, *signals));
  if (!host.ok()) return fail(host.error(), log);
  return run_host(std::move(host.value()), config, *signals, service, log);
}

}  // namespace outrider::sidecar
