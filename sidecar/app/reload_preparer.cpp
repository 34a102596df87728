#include "sidecar/app/reload_preparer.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "sidecar/app/encode_settings.hpp"

namespace outrider::sidecar {
namespace {

bool needs_transport(const ReloadPlan& plan, const std::string& name) {
  if (std::ranges::find(plan.added, name) != plan.added.end()) return true;
  const auto changed = std::ranges::find(plan.changed, name, &DestinationChange::name);
  return changed != plan.changed.end() && changed->has_other_transport;
}

}  // namespace

PreparedReload prepare_reload(const LoadAgain& load, const PrepareTransport& prepare,
                              const Config& running) {
  PreparedReload prepared;
  LoadResult result = load();
  for (Error& error : result.errors) prepared.errors.push_back(std::move(error.message));
  if (!result.ok()) return prepared;
  prepared.config = std::move(result.loaded.config);
  prepared.warnings = std::move(result.loaded.warnings);
  prepared.plan = plan_reload(running, prepared.config);
  prepared.errors = prepared.plan.refusals();
  for (const DestinationConfig& destination : prepared.config.destinations) {
    const auto settings = make_encode_settings(destination);
    const std::string where = "destination " + destination.name;
    if (!settings.ok()) prepared.errors.push_back(settings.error().with_prefix(where).message);
    if (!needs_transport(prepared.plan, destination.name)) continue;
    auto transport = prepare(destination);
    if (transport.ok()) {
      prepared.transports[destination.name] = std::move(transport.value());
    } else {
      prepared.errors.push_back(transport.error().with_prefix(where).message);
    }
  }
  auto recurrence = Recurrence::make(prepared.config.schedules);
  if (recurrence.ok()) {
    prepared.recurrence = std::move(recurrence.value());
  } else {
    prepared.errors.push_back(recurrence.error().message);
  }
  return prepared;
}

/// Shared by loop and thread; lives as long as either.
struct ThreadReloadPreparer::State {
  LoadAgain load;
  PrepareTransport prepare;
  std::mutex mutex;  ///< guards all below
  std::function<void()> wake;
  bool is_running = false;
  std::optional<PreparedReload> prepared;
};

ThreadReloadPreparer::ThreadReloadPreparer(LoadAgain load, PrepareTransport prepare,
                                           std::function<void()> wake)
    : state_(std::make_shared<State>()), thread_("reload", std::chrono::milliseconds(0)) {
  state_->load = std::move(load);
  state_->prepare = std::move(prepare);
  state_->wake = std::move(wake);
}

ThreadReloadPreparer::~ThreadReloadPreparer() {
  const std::lock_guard lock(state_->mutex);
  state_->wake = nullptr;
}

bool ThreadReloadPreparer::begin(const Config& running) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->is_running) return false;
    state_->is_running = true;
    state_->prepared.reset();
  }
  const bool is_begun = thread_.run([state = state_, running] {
    PreparedReload prepared = prepare_reload(state->load, state->prepare, running);
    const std::lock_guard lock(state->mutex);
    state->is_running = false;
    if (!state->wake) return;
    state->prepared = std::move(prepared);
    state->wake();
  });
  if (!is_begun) {
    const std::lock_guard lock(state_->mutex);
    state_->is_running = false;
  }
  return is_begun;
}

std::optional<PreparedReload> ThreadReloadPreparer::take() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->prepared, std::nullopt);
}

}  // namespace outrider::sidecar
