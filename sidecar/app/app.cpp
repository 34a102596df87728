#include "sidecar/app/app.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/app/encode_settings.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {
namespace {

/// Draining ends when no frame has come for this long, ...
constexpr Duration drain_quiet = std::chrono::milliseconds(50);
/// ... or after this time, for clients that never pause.
constexpr Duration drain_max = std::chrono::seconds(1);

std::vector<Route> routes_of(const Config& config) {
  std::vector<Route> routes;
  for (const DestinationConfig& destination : config.destinations) {
    routes.push_back({destination.topics, destination.exclude});
  }
  return routes;
}

}  // namespace

Result<std::unique_ptr<App>> App::create(const Config& config, AppParts parts, Log& log) {
  Random seeds(parts.seed);
  std::vector<std::unique_ptr<Destination>> destinations;
  for (DestinationConfig destination : config.destinations) {
    // Files and sockets take one body after the other.
    if (destination.type != DestinationType::http) {
      destination.concurrency_min = destination.concurrency_max = 1;
    }
    const auto settings = make_encode_settings(destination);
    if (!settings.ok()) return settings.error().with_prefix("destination " + destination.name);
    auto encoder = make_encoder(settings.value());
    auto transport =
        parts.make_transport(destination, {encoder->content_type(), encoder->content_encoding()});
    if (!transport.ok()) {
      return transport.error().with_prefix("destination " + destination.name);
    }
    destinations.push_back(std::make_unique<Destination>(
        destination, std::move(encoder), std::move(transport.value()), log, seeds.next()));
  }
  return std::unique_ptr<App>(
      new App(config, std::move(parts.source), std::move(destinations), log, seeds.next()));
}

App::App(const Config& config, std::unique_ptr<FrameSource> source,
         std::vector<std::unique_ptr<Destination>> destinations, Log& log, std::uint64_t seed)
    : linger_(config.shutdown_linger),
      log_(log),
      source_(std::move(source)),
      destinations_(std::move(destinations)),
      router_(routes_of(config)),
      ingest_(*source_, {config.ingest.frame_bytes_max, config.ingest.event_bytes_max}, *this, log,
              seed) {}

void App::accept(proto::ByteView record, std::string_view topic, const Now& now) {
  const auto targets = router_.route(topic);
  if (targets.empty()) ++unrouted_;
  for (const std::uint32_t target : targets) destinations_[target]->accept(record, now);
}

int App::do_work(const Now& now) {
  if (phase_ == Phase::finished) return 0;
  if (phase_ == Phase::running && is_stop_requested_.load(std::memory_order_relaxed)) {
    begin_stop(now);
  }
  const bool takes_frames = phase_ != Phase::flushing;
  const int frames = takes_frames ? ingest_.do_work(now) : 0;
  int work = frames;
  for (const auto& destination : destinations_) work += destination->do_work(now);
  if (phase_ == Phase::draining) drain(frames, now);
  if (phase_ == Phase::flushing) flush(now);
  return work;
}

MonoTime App::next_deadline() const {
  MonoTime deadline = never;
  for (const auto& destination : destinations_) {
    deadline = std::min(deadline, destination->next_deadline());
  }
  if (phase_ == Phase::draining) deadline = std::min({deadline, quiet_until_, drain_until_});
  if (phase_ == Phase::flushing) deadline = std::min(deadline, linger_until_);
  return deadline;
}

void App::begin_stop(const Now& now) {
  log_.info("stopping", {{"linger", format_duration(linger_)}});
  source_->stop_listening();
  for (const auto& destination : destinations_) destination->begin_stop();
  linger_until_ = now.mono + linger_;
  drain_until_ = now.mono + std::min(drain_max, linger_ / 2);
  quiet_until_ = now.mono + drain_quiet;
  phase_ = Phase::draining;
}

void App::drain(int frames, const Now& now) {
  if (frames > 0) quiet_until_ = now.mono + drain_quiet;
  if (now.mono < std::min(quiet_until_, drain_until_)) return;
  source_->close();
  for (const auto& destination : destinations_) destination->begin_flush(now);
  phase_ = Phase::flushing;
}

void App::flush(const Now& now) {
  const bool is_drained =
      std::all_of(destinations_.begin(), destinations_.end(),
                  [](const auto& destination) { return destination->is_drained(); });
  if (!is_drained && now.mono < linger_until_) return;
  for (const auto& destination : destinations_) destination->abandon(now);
  finish();
}

void App::finish() {
  for (const auto& destination : destinations_) destination->close(linger_until_);
  phase_ = Phase::finished;
}

Report App::report() const {
  Report report;
  report.ingest = ingest_.counters();
  report.unrouted = unrouted_;
  report.frames_missing = ingest_.clients().frames_missing();
  report.client_drops = ingest_.clients().drops();
  for (const auto& destination : destinations_) {
    report.destinations.push_back({destination->name(), destination->ledger()});
  }
  return report;
}

}  // namespace outrider::sidecar
