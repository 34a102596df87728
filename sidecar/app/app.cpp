#include "sidecar/app/app.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/base/random.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {
namespace {

/// Draining ends when no frame has come for this long, ...
constexpr Duration drain_quiet = std::chrono::milliseconds(50);
/// ... or after this time, for clients that never pause.
constexpr Duration drain_max = std::chrono::seconds(1);

SpoolSettings spool_settings(const Config& config) {
  SpoolSettings settings;
  settings.bytes_max = config.spool.bytes_max;
  settings.frame_bytes_max =
      std::max(SpoolSettings::frame_bytes_max_min, 4 * config.ingest.frame_bytes_max);
  for (const DestinationConfig& destination : config.destinations) {
    settings.lanes.push_back(lane_settings(destination));
  }
  return settings;
}

proto::FrameLimits frame_limits(const Config& config) {
  return {config.ingest.frame_bytes_max, config.ingest.event_bytes_max};
}

/// An emitted event may have to be stored when the sidecar stops, or as a dead letter. The spool
/// decides the answer to a frame to be confirmed.
proto::FrameLimits emit_limits(const Config& config, bool has_spool) {
  proto::FrameLimits limits = frame_limits(config);
  if (has_spool) {
    limits.event_bytes_max = std::min<std::size_t>(limits.event_bytes_max, Store::record_bytes_max);
  }
  return limits;
}

}  // namespace

Result<std::unique_ptr<App>> App::create(const Config& config, AppParts parts, Log& log) {
  Random seeds(parts.seed);
  std::unique_ptr<Spool> spool;
  if (parts.exchange != nullptr) {
    spool = std::make_unique<Spool>(spool_settings(config), parts.spool_state.lanes,
                                    *parts.exchange, log);
  }
  auto recurrence = Recurrence::make(config.schedules);
  if (!recurrence.ok()) return recurrence.error();
  DestinationRegistry destinations;
  for (const DestinationConfig& destination : config.destinations) {
    auto made = make_parts(destination, parts.make_transport);
    if (!made.ok()) return made.error();
    auto& [settings, encoder, transport] = made.value();
    const DestinationHandle handle = destinations.reserve();
    Lane* lane = spool ? &spool->lane(handle) : nullptr;
    destinations.put(
        handle, std::make_unique<Destination>(settings, std::move(encoder), std::move(transport),
                                              lane, log, seeds.next()));
  }
  return std::unique_ptr<App>(new App(config, parts, std::move(spool),
                                      std::move(recurrence.value()), std::move(destinations), log,
                                      seeds.next()));
}

App::App(const Config& config, AppParts& parts, std::unique_ptr<Spool> spool, Recurrence recurrence,
         DestinationRegistry destinations, Log& log, std::uint64_t seed)
    : linger_(config.shutdown_linger),
      log_(log),
      source_(std::move(parts.source)),
      confirm_source_(std::move(parts.confirm_source)),
      spool_(std::move(spool)),
      memory_mark_(parts.memory_mark),
      destinations_(std::move(destinations)),
      dispatcher_(config, destinations_, spool_.get(), log),
      ingest_(*source_, emit_limits(config, spool_ != nullptr), spool_ != nullptr, dispatcher_, log,
              seed, redacts(config)),
      exchange_(parts.exchange),
      control_(parts.control),
      set_log_level_(std::move(parts.set_log_level)),
      snapshots_(
          config, std::move(parts.snapshots), destinations_,
          [this](Snapshot& snapshot) { fill(snapshot); }, ~parts.seed),
      reloader_(config, parts.reloads, parts.reload_preparer, reload_world(parts), log, ~seed) {
  if (!spool_) return;
  spool_->on_answer([this](const ConfirmedFrame& frame, const FrameAnswer& answer) {
    note_answer(frame, answer);
  });
  confirm_.emplace(*confirm_source_, frame_limits(config), dispatcher_, log, ~seed,
                   redacts(config));
  schedules_.emplace(std::move(recurrence), parts.spool_state.marks, *spool_, dispatcher_, log);
}

/// The fate of a frame to be confirmed, or of a schedule's run.
void App::note_answer(const ConfirmedFrame& frame, const FrameAnswer& answer) {
  dispatcher_.note_answer(frame, answer);
  if (frame.mark) {
    schedules_->note_answer(frame, answer, turn_);
  } else {
    confirm_->answer(frame.peer, frame.sequence, answer.status, answer.refused, answer.is_new,
                     frame.counts.events);
  }
}

// Turning -----------------------------------------------------------------------------------------

int App::do_work(const Now& now) {
  if (phase_ == Phase::finished) return 0;
  turn_ = now;
  if (control_ != nullptr && !control_->is_empty()) take_requests(now);
  const int work = do_turn(now);
  if (phase_ != Phase::finished) return snapshots_.do_work(now) ? work + 1 : work;
  if (control_ != nullptr) control_->close();
  snapshots_.finish(now);
  return work;
}

int App::do_turn(const Now& now) {
  if (phase_ == Phase::running && is_stop_requested_) begin_stop(now);
  const int reloads = phase_ == Phase::running ? reloader_.do_work(now) : 0;
  int work = reloads + (spool_ ? spool_->do_work(now) : 0);
  if (schedules_ && phase_ == Phase::running) schedules_->do_work(now);
  const bool takes_frames = phase_ == Phase::running || phase_ == Phase::draining;
  int frames = takes_frames ? ingest_.do_work(now) : 0;
  if (confirm_) frames += confirm_->do_work(now);
  work += frames;
  if (phase_ != Phase::storing) {
    for (Destination* const destination : destinations_.all()) work += destination->do_work(now);
  }
  if (phase_ == Phase::draining) drain(frames, now);
  if (phase_ == Phase::flushing) flush(now);
  if (spool_) spool_->hand_over(now);
  if (phase_ == Phase::storing) store(now);
  if (memory_mark_ != nullptr) mark_memory(now);
  return work;
}

/// Events that a crash would lose from now on.
void App::mark_memory(const Now& now) {
  std::uint64_t events = spool_->unwritten_events();
  for (Destination* const destination : destinations_.all())
    events += destination->events_in_memory_only();
  memory_mark_->set(events, now.mono);
}

MonoTime App::next_deadline() const {
  if (phase_ == Phase::finished) return never;
  MonoTime deadline = never;
  for (Destination* const destination : destinations_.all()) {
    deadline = std::min(deadline, destination->next_deadline());
  }
  if (phase_ == Phase::running) {
    deadline = std::min({deadline, ingest_.next_deadline(), reloader_.next_deadline()});
  }
  if (phase_ == Phase::draining) deadline = std::min({deadline, quiet_until_, drain_until_});
  if (phase_ == Phase::flushing) deadline = std::min(deadline, linger_until_);
  if (phase_ == Phase::storing) deadline = stop_until();
  if (spool_) deadline = std::min(deadline, spool_->next_deadline());
  if (memory_mark_ != nullptr) deadline = std::min(deadline, memory_mark_->next_deadline());
  if (schedules_ && phase_ == Phase::running) {
    deadline = std::min(deadline, schedules_->next_deadline());
  }
  return deadline;
}

void App::begin_stop(const Now& now) {
  reloader_.stop();
  log_.info("stopping", {{"linger", format_duration(linger_)}});
  source_->stop_listening();
  if (confirm_source_) confirm_source_->stop_listening();
  for (Destination* const destination : destinations_.all()) destination->begin_stop(now);
  linger_until_ = now.mono + linger_;
  drain_until_ = now.mono + std::min(drain_max, linger_ / 2);
  quiet_until_ = now.mono + drain_quiet;
  phase_ = Phase::draining;
}

void App::make_up_for(Duration lost) {
  drain_until_ += lost;
  quiet_until_ += lost;
  linger_until_ += lost;
}

void App::drain(int frames, const Now& now) {
  if (frames > 0) quiet_until_ = now.mono + drain_quiet;
  if (now.mono < std::min(quiet_until_, drain_until_)) return;
  // The open frame continues over several turns: its events may have very many copies.
  ingest_.begin_stop();
  if (ingest_.is_inside_frame() && now.mono < linger_until_) return;
  ingest_.refuse_rest(now);
  source_->close();
  if (confirm_) confirm_->refuse_all(now);
  for (Destination* const destination : destinations_.all()) destination->begin_flush(now);
  phase_ = Phase::flushing;
}

void App::flush(const Now& now) {
  const bool is_drained = std::ranges::all_of(destinations_.all(), &Destination::is_drained);
  if (!is_drained && now.mono < linger_until_) return;
  for (Destination* const destination : destinations_.all()) destination->abandon(now);
  phase_ = Phase::storing;
}

void App::store(const Now& now) {
  if (spool_ && !spool_->is_idle()) {
    if (now.mono < stop_until()) return;
    const auto dropped = [this] {
      std::uint64_t events = 0;
      for (Destination* const destination : destinations_.all())
        events += destination->ledger().dropped_total();
      return events;
    };
    const std::uint64_t before = dropped();
    const std::uint64_t outcomes = spool_->unwritten_outcomes();
    spool_->give_up(now);
    log_.error(
        "the spool could not store everything in time",
        {{"events", std::to_string(dropped() - before)}, {"outcomes", std::to_string(outcomes)}});
  }
  finish();
}

void App::finish() {
  for (Destination* const destination : destinations_.all()) destination->close(linger_until_);
  if (confirm_source_) confirm_source_->close();
  phase_ = Phase::finished;
}

Report App::report() const {
  Report report = report_of_intake();
  if (memory_mark_ != nullptr) report.lost_by_last_run = memory_mark_->left_by_last_run();
  for (const Destination* const destination : destinations_.known()) {
    report.destinations.push_back({destination->name(), destination->ledger()});
  }
  return report;
}

/// Without the destinations.
Report App::report_of_intake() const {
  Report report;
  report.ingest = ingest_.counters();
  if (confirm_) {
    report.ingest += confirm_->counters();
    report.confirmed = confirm_->confirmed();
  }
  report.unrouted = dispatcher_.unrouted();
  report.frames_missing = ingest_.clients().frames_missing();
  report.client_drops = ingest_.clients().drops();
  return report;
}

}  // namespace outrider::sidecar
