#include "sidecar/app/host.hpp"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <optional>
#include <system_error>
#include <utility>

#include "sidecar/admin/admin_server.hpp"
#include "sidecar/app/app.hpp"
#include "sidecar/app/limit_probe.hpp"
#include "sidecar/app/memory_mark.hpp"
#include "sidecar/app/spool_watch.hpp"
#include "sidecar/app/storage_settings.hpp"
#include "sidecar/app/transports.hpp"
#include "sidecar/base/pause.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/base/thread_probe.hpp"
#include "sidecar/base/ticker.hpp"
#include "sidecar/base/time_left.hpp"
#include "sidecar/http/curl_transport.hpp"
#include "sidecar/ingest/zmq_source.hpp"
#include "sidecar/inspect/dead_jobs.hpp"
#include "sidecar/net/gate_log.hpp"
#include "sidecar/net/socket_gate.hpp"
#include "sidecar/net/zmq_context.hpp"
#include "sidecar/observe/control.hpp"
#include "sidecar/observe/loop_meter.hpp"
#include "sidecar/observe/snapshot_board.hpp"
#include "sidecar/spool/storage_thread.hpp"

namespace outrider::sidecar {
namespace {

/// By how much libzmq's clock may run before ours.
constexpr Duration zmq_clock_error = std::chrono::milliseconds(5);
/// A context takes this long to end at most where no peer of a fan-out holds it up.
constexpr Duration zmq_end_max = std::chrono::milliseconds(500);

/// Nothing is due: only a descriptor or wake() ends the wait.
constexpr Duration idle_wait = std::chrono::hours(1);
/// The same during a shutdown, so that a pause is recognised as one.
constexpr Duration stopping_wait = std::chrono::milliseconds(100);
constexpr Duration pause_min = std::chrono::seconds(1);

/// The CPU time of this thread.
Duration worked() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// How long the process was paused between two turns. Only a stop has to know, and the time that a
/// thread has worked costs a system call; so it is asked for from the turn on that begins the stop.
class PauseMeter {
 public:
  /// Called at the beginning of each of these turns. `slept`: at most, since the last call.
  Duration lost(const Now& now, Duration slept) {
    const Duration has_worked = worked();
    const Duration accounted = slept + has_worked - std::exchange(last_worked_, has_worked);
    const MonoTime last_turn = std::exchange(last_turn_, now.mono);
    if (last_turn == never) return Duration::zero();
    return lost_time(now.mono - last_turn, accounted, pause_min);
  }

 private:
  MonoTime last_turn_ = never;
  Duration last_worked_{};
};

bool listens_outside(const Config& config) {
  const bool is_confirming = !config.spool.path.empty();
  return has_outside_endpoint(config.ingest.endpoints) ||
         (is_confirming && has_outside_endpoint({config.ingest.confirm_endpoint}));
}

bool has_fan_out(const Config& config) {
  return std::ranges::any_of(config.destinations, [](const auto& destination) {
    return destination.type == DestinationType::zmq;
  });
}

/// A part of what a destination may have on disk, so that retried letters leave room for events.
std::uint64_t retry_bytes_max(const Config& config) {
  std::uint64_t bytes = config.spool.bytes_max;
  for (const DestinationConfig& destination : config.destinations) {
    bytes = std::min(bytes, destination.spool_bytes_max);
  }
  return bytes / 2;
}

void fill_connections(IngestSnapshot& to) {
  const SocketGate::Counts counts = SocketGate::counts();
  to.connections = counts.open;
  to.connections_refused = counts.refused;
  to.connections_cut_off = counts.cut_off;
}

}  // namespace

// In this order: each part uses those above it.
struct Host::Parts {
  SystemClock clock;
  ChangeLog changes;
  Reactor reactor;
  SnapshotBoard board{[this] { reactor.wake(); }};
  ControlQueue control{[this] { reactor.wake(); }};
  ReloadBoard reloads{[this] { reactor.wake(); }};
  LoopMeter loop;
  std::unique_ptr<ZmqContext> zmq_context;
  CurlDriver curl{reactor};
  Exchange exchange;
  std::unique_ptr<SpoolWatch> spool_watch;
  std::unique_ptr<StorageThread> storage;
  std::unique_ptr<MemoryMark> memory_mark;
  PrepareTransport prepare_transport;
  std::unique_ptr<ThreadReloadPreparer> reload_preparer;
  std::unique_ptr<App> app;
  std::optional<GateLog> gate_log;
  std::atomic<bool> is_stop_requested = false;
  bool has_fan_out = false;
  MonoTime finished_at{};
  std::shared_ptr<SpoolGate> spool_gate = std::make_shared<SpoolGate>();
  std::unique_ptr<DeadJobs> dead_jobs;
  std::unique_ptr<AdminServer> admin;
  std::optional<Ticker> admin_upkeep;

  explicit Parts(Log& log) : changes(log, clock) {}
};

Host::Host(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Host::~Host() = default;

Result<std::unique_ptr<Host>> Host::open(const Config& config, Log& log, void* zmq_context,
                                         ReloadHooks hooks) {
  if (Status threads = probe_threads(threads_needed(config)); !threads.ok()) return threads.error();
  try {
    return open_parts(config, log, zmq_context, std::move(hooks));
  } catch (const std::system_error& error) {
    return no_threads(error.what());  // somebody else has taken them since
  }
}

/// Without `listen` in the configuration, its socket is nothing that a start depends on.
Status Host::open_admin(const Config& config, Parts& parts) {
  if (!config.spool.path.empty()) {
    parts.dead_jobs = std::make_unique<DeadJobs>(
        DeadJobs::Settings{config.spool.path, retry_bytes_max(config), parts.spool_gate},
        parts.changes);
  }
  auto admin = AdminServer::open(config, {parts.board, parts.control, parts.reloads, parts.changes,
                                          parts.changes, parts.clock, parts.dead_jobs.get()});
  if (admin.ok()) {
    parts.admin = std::move(admin.value());
    if (parts.admin != nullptr) {
      parts.admin_upkeep.emplace(parts.reactor, IpcEndpoints::upkeep_period,
                                 [&parts] { parts.admin->look_after(); });
    }
    return Nothing{};
  }
  if (!config.admin.listen.empty()) return admin.error();
  parts.changes.warn(
      "there is no admin interface",
      {{"because", admin.error().message + "; or give this sidecar a place of its own: [admin] "
                                           "listen = unix://PATH"}});
  return Nothing{};
}

void Host::open_reloads(ReloadHooks hooks, Parts& parts, AppParts& app_parts) {
  if (!hooks.load) {
    parts.reloads.close({ReloadResult::failed, {"this sidecar has no configuration file"}, 1});
    return;
  }
  parts.reload_preparer = std::make_unique<ThreadReloadPreparer>(
      std::move(hooks.load), parts.prepare_transport, [&parts] { parts.reactor.wake(); });
  app_parts.reloads = &parts.reloads;
  app_parts.reload_preparer = parts.reload_preparer.get();
  app_parts.on_reload = [&parts, tell = std::move(hooks.on_reload)](bool is_reloading) {
    const Config& in_use = parts.app->config();
    parts.has_fan_out = parts.has_fan_out || has_fan_out(in_use);
    if (tell) tell(is_reloading, in_use);
  };
}

Result<std::unique_ptr<Host>> Host::open_parts(const Config& config, Log& process_log,
                                               void* zmq_context, ReloadHooks hooks) {
  auto parts = std::make_unique<Parts>(process_log);
  Log& log = parts->changes;
  if (zmq_context == nullptr) {
    parts->zmq_context = std::make_unique<ZmqContext>();
    zmq_context = parts->zmq_context->get();
  }
  // The source comes first: a second sidecar on the same endpoint must not touch anything else.
  auto source = open_zmq_source(config.ingest, zmq_context, parts->reactor, log);
  if (!source.ok()) return source.error();

  if (listens_outside(config)) parts->gate_log.emplace(log);

  const TransportWorld world = {parts->reactor, parts->curl, zmq_context, log};
  AppParts app_parts;
  app_parts.source = std::move(source.value());
  app_parts.seed = system_seed();
  app_parts.snapshots = {&parts->board, &parts->loop, fill_connections,
                         [&log] { return log.lines_dropped(); }};
  app_parts.control = &parts->control;
  app_parts.set_log_level = [&log](LogLevel level) { log.set_level(level); };
  parts->prepare_transport = transport_preparer(world);
  app_parts.make_transport = [&](const DestinationConfig& destination,
                                 const BodyKind& body) -> Result<std::unique_ptr<Transport>> {
    const auto finish = parts->prepare_transport(destination);
    if (!finish.ok()) return finish.error();
    return finish.value()(body);
  };
  open_reloads(std::move(hooks), *parts, app_parts);
  std::unique_ptr<StorageAgent> storage;
  if (!config.spool.path.empty()) {
    auto confirm_source = open_zmq_confirm_source(config.ingest, zmq_context, parts->reactor, log);
    if (!confirm_source.ok()) return confirm_source.error();
    app_parts.confirm_source = std::move(confirm_source.value());
    parts->spool_watch = std::make_unique<SpoolWatch>(
        parts->reactor, [all = parts.get()] { all->app->look_at_spool(); });
    StorageSettings settings = storage_settings(config);
    settings.gate = parts->spool_gate;
    settings.watch_lock = [watch = parts->spool_watch.get()](const std::string& lock_file) {
      return watch->watch(lock_file);
    };
    auto opened = StorageAgent::open(std::move(settings), open_disk(), parts->exchange, log,
                                     parts->clock.now());
    if (!opened.ok()) return opened.error();
    storage = std::move(opened.value());
    app_parts.exchange = &parts->exchange;
    parts->memory_mark = std::make_unique<MemoryMark>(config.spool.path, log);
    app_parts.memory_mark = parts->memory_mark.get();
    if (const std::uint64_t lost = parts->memory_mark->left_by_last_run(); lost > 0) {
      log.error("the last run ended without a shutdown; events that were only in memory are lost",
                {{"events", std::to_string(lost)}});
    }
    app_parts.spool_state = storage->state();
  }
  parts->has_fan_out = has_fan_out(config);
  auto app = App::create(config, std::move(app_parts), log);
  if (!app.ok()) return app.error();
  parts->app = std::move(app.value());
  if (storage) {
    parts->exchange.wake_sidecar = [reactor = &parts->reactor] { reactor->wake(); };
    parts->storage =
        std::make_unique<StorageThread>(std::move(storage), parts->exchange, parts->clock);
  }
  if (Status opened = open_admin(config, *parts); !opened.ok()) return opened.error();
  return std::unique_ptr<Host>(new Host(std::move(parts)));
}

void Host::run(const OnTurn& on_turn) {
  App& app = *parts_->app;
  CurlDriver& curl = parts_->curl;
  std::optional<GateLog>& gate_log = parts_->gate_log;
  PauseMeter pauses;
  Duration wait{};
  for (;;) {
    // A drain that was asked for over the admin interface begins in the app.
    const bool is_stopping =
        parts_->is_stop_requested.load(std::memory_order_relaxed) || app.is_stopping();
    const Now now = parts_->clock.now();
    if (is_stopping) {
      app.request_stop();
      app.make_up_for(pauses.lost(now, wait));
    }
    curl.do_work(now);
    const int work = app.do_work(now);
    parts_->loop.note_turn(now.mono, parts_->clock.now().mono);
    // Before the wait: nothing would ever end it.
    if (app.is_finished()) {
      parts_->finished_at = now.mono;
      return;
    }
    const MonoTime asked = on_turn ? on_turn(now.mono, app.is_stopping()) : never;
    MonoTime deadline = std::min({asked, app.next_deadline(), curl.next_deadline()});
    if (gate_log) {
      gate_log->look(now);
      deadline = std::min(deadline, gate_log->next_deadline());
    }
    wait = work > 0 ? Duration::zero() : time_left(deadline, now.mono, idle_wait);
    if (is_stopping) wait = std::min(wait, stopping_wait);
    parts_->reactor.wait(wait);
  }
}

void Host::request_stop() {
  parts_->is_stop_requested.store(true, std::memory_order_relaxed);
  parts_->reactor.wake();
}

Log& Host::log() {
  return parts_->changes;
}

ReloadBoard& Host::reloads() {
  return parts_->reloads;
}

bool Host::has_losses() const {
  return parts_->app->report().has_losses();
}

std::string Host::report() const {
  return format_report(parts_->app->report());
}

/// libzmq tells only by the end of a context that all is with the operating system.
bool Host::close() {
  const MonoTime linger_until = parts_->app->linger_until();
  parts_->admin_upkeep.reset();
  parts_->admin.reset();
  parts_->dead_jobs.reset();
  parts_->app.reset();
  parts_->zmq_context.reset();
  return !parts_->has_fan_out || parts_->finished_at + zmq_end_max > linger_until ||
         parts_->clock.now().mono + zmq_clock_error < linger_until;
}

MonoTime Host::stop_until() const {
  return parts_->app->stop_until();
}

Duration Host::stop_time_max(const Config& config) {
  return config.shutdown_linger + (config.spool.path.empty() ? Duration::zero() : App::storing_max);
}

}  // namespace outrider::sidecar
