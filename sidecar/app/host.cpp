#include "sidecar/app/host.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/app/transports.hpp"
#include "sidecar/base/random.hpp"

namespace outrider::sidecar {
namespace {

/// Nothing is due: only a descriptor or wake() ends the wait.
constexpr Duration idle_wait = std::chrono::hours(1);

}  // namespace

Result<std::unique_ptr<Host>> Host::open(const Config& config, Log& log, void* zmq_context) {
  std::unique_ptr<Host> host(new Host);
  if (zmq_context == nullptr) {
    host->zmq_context_ = std::make_unique<ZmqContext>();
    zmq_context = host->zmq_context_->get();
  }
  // The source comes first: a second sidecar on the same endpoint must not touch anything else.
  auto source = open_zmq_source(config.ingest, zmq_context, host->reactor_, log);
  if (!source.ok()) return source.error();

  const TransportWorld world = {host->reactor_, host->curl_, zmq_context};
  AppParts parts;
  parts.source = std::move(source.value());
  parts.seed = system_seed();
  parts.make_transport = [&](const DestinationConfig& destination,
                             std::string_view content_type) {
    return make_transport(destination, content_type, world);
  };
  auto app = App::create(config, std::move(parts), log);
  if (!app.ok()) return app.error();
  host->app_ = std::move(app.value());
  return host;
}

void Host::run() {
  while (!app_->is_finished()) {
    const Now now = clock_.now();
    curl_.do_work(now);
    const int work = app_->do_work(now);
    const MonoTime deadline = std::min(app_->next_deadline(), curl_.next_deadline());
    const Duration wait = deadline == never ? idle_wait : deadline - now.mono;
    reactor_.wait(work > 0 ? Duration::zero() : std::max(wait, Duration::zero()));
  }
}

void Host::request_stop() {
  app_->request_stop();
  reactor_.wake();
}

}  // namespace outrider::sidecar
