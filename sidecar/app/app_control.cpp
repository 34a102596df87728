// The App as other threads see and command it; app.hpp.

#include <algorithm>
#include <utility>

#include "sidecar/app/app.hpp"
#include "sidecar/base/level_names.hpp"
#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {
namespace {

IngestSnapshot ingest_of(const Report& report) {
  IngestSnapshot it;
  it.frames = report.ingest.frames;
  it.events = report.ingest.events;
  it.frames_refused = report.ingest.frames_refused;
  it.events_refused = report.ingest.events_refused;
  it.refused = report.ingest.refused;
  it.frames_confirmed = report.confirmed.frames;
  it.events_confirmed = report.confirmed.events;
  it.frames_missing = report.frames_missing;
  it.unrouted = report.unrouted;
  it.client_drops.assign(report.client_drops.begin(), report.client_drops.end());
  return it;
}

}  // namespace

// Requests ----------------------------------------------------------------------------------------

void App::take_requests(const Now& now) {
  for (ControlQueue::Pending& pending : control_->take()) {
    pending.answer.set_value(carry_out(pending.request, now));
  }
}

Status App::carry_out(const ControlRequest& request, const Now& now) {
  switch (request.action) {
    case ControlAction::pause:
    case ControlAction::resume:
      return pause_or_resume(request, now);
    case ControlAction::log_level: {
      if (!set_log_level_) return Error{"the level of this log cannot be changed"};
      log_.info("log level changed",
                {{"level", std::string(level_name(request.level))}, {"by", request.who}});
      set_log_level_(request.level);
      return Nothing{};
    }
    case ControlAction::drain:
      log_.info("a stop was asked for", {{"by", request.who}});
      request_stop();
      return Nothing{};
  }
  return Error{"there is no such action"};
}

Status App::pause_or_resume(const ControlRequest& request, const Now& now) {
  Destination* const found = destinations_.find(request.destination);
  if (found == nullptr) {
    return Error{"there is no destination " + request.destination +
                 "; the names are in the [destination.NAME] sections of the configuration"};
  }
  if (phase_ != Phase::running || is_stop_requested_) {
    return Error{"the sidecar stops, which ends all pauses"};
  }
  if (request.action == ControlAction::pause) {
    found->pause(request.duration, request.who, now);
  } else {
    found->resume(request.who, now);
  }
  return Nothing{};
}

// Reload ------------------------------------------------------------------------------------------

Reloader::World App::reload_world(const AppParts& parts) {
  return {destinations_,
          dispatcher_,
          spool_.get(),
          [this]() -> ScheduleRunner* { return schedules_ ? &*schedules_ : nullptr; },
          [tell = parts.on_reload] {
            if (tell) tell(true);
          },
          [this](const Config& before, const Config& after, const Now& now) {
            use(before, after, now);
          },
          [this, tell = parts.on_reload](const ReloadOutcome& outcome) {
            snapshots_.note_reload(outcome.result == ReloadResult::applied, outcome.generation);
            if (tell) tell(false);
          }};
}

/// Fields that some destination redacts must not appear in the log either.
bool App::redacts(const Config& config) {
  return std::ranges::any_of(config.destinations, [](const DestinationConfig& destination) {
    return !destination.redact.empty();
  });
}

/// Of the settings of the App itself, those that may change.
void App::use(const Config& before, const Config& after, const Now& now) {
  linger_ = after.shutdown_linger;
  ingest_.hide_values(redacts(after));
  if (confirm_) confirm_->hide_values(redacts(after));
  if (set_log_level_ && before.log_level != after.log_level) set_log_level_(after.log_level);
  snapshots_.note_config(after, now);
}

// Snapshots ---------------------------------------------------------------------------------------

/// All but the destinations.
void App::fill(Snapshot& snapshot) const {
  switch (phase_) {
    case Phase::running:
      snapshot.phase = LifePhase::running;
      break;
    case Phase::finished:
      snapshot.phase = LifePhase::stopped;
      break;
    default:
      snapshot.phase = LifePhase::stopping;
  }
  snapshot.ingest = ingest_of(report_of_intake());
  snapshot.ingest.clients = ingest_.clients().client_count();
  if (schedules_) snapshot.schedules = schedules_->snapshot();
  if (exchange_ != nullptr) snapshot.spool = exchange_->numbers();
}

}  // namespace outrider::sidecar
