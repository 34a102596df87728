#include "sidecar/app/host.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/app/app.hpp"
#include "sidecar/app/transports.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/base/reactor.hpp"
#include "sidecar/http/curl_transport.hpp"
#include "sidecar/ingest/zmq_source.hpp"

namespace outrider::sidecar {
namespace {

/// Nothing is due: only a descriptor or wake() ends the wait.
constexpr Duration idle_wait = std::chrono::hours(1);

}  // namespace

// In this order: what stands below uses what stands above.
struct Host::Parts {
  SystemClock clock;
  Reactor reactor;
  std::unique_ptr<ZmqContext> zmq_context;
  CurlDriver curl{reactor};
  std::unique_ptr<App> app;
};

Host::Host(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Host::~Host() = default;

Result<std::unique_ptr<Host>> Host::open(const Config& config, Log& log, void* zmq_context) {
  auto parts = std::make_unique<Parts>();
  if (zmq_context == nullptr) {
    parts->zmq_context = std::make_unique<ZmqContext>();
    zmq_context = parts->zmq_context->get();
  }
  // The source comes first: a second sidecar on the same endpoint must not touch anything else.
  auto source = open_zmq_source(config.ingest, zmq_context, parts->reactor, log);
  if (!source.ok()) return source.error();

  const TransportWorld world = {parts->reactor, parts->curl, zmq_context, log};
  AppParts app_parts;
  app_parts.source = std::move(source.value());
  app_parts.seed = system_seed();
  app_parts.make_transport = [&](const DestinationConfig& destination, const BodyKind& body) {
    return make_transport(destination, body, world);
  };
  auto app = App::create(config, std::move(app_parts), log);
  if (!app.ok()) return app.error();
  parts->app = std::move(app.value());
  return std::unique_ptr<Host>(new Host(std::move(parts)));
}

void Host::run() {
  App& app = *parts_->app;
  CurlDriver& curl = parts_->curl;
  for (;;) {
    const Now now = parts_->clock.now();
    curl.do_work(now);
    const int work = app.do_work(now);
    // Before the wait: nothing would ever end it.
    if (app.is_finished()) return;
    const MonoTime deadline = std::min(app.next_deadline(), curl.next_deadline());
    const Duration wait = deadline == never ? idle_wait : deadline - now.mono;
    parts_->reactor.wait(work > 0 ? Duration::zero() : std::max(wait, Duration::zero()));
  }
}

void Host::request_stop() {
  parts_->app->request_stop();
  parts_->reactor.wake();
}

bool Host::has_losses() const {
  return parts_->app->report().has_losses();
}

std::string Host::report() const {
  return format_report(parts_->app->report());
}

MonoTime Host::linger_until() const {
  return parts_->app->linger_until();
}

}  // namespace outrider::sidecar
