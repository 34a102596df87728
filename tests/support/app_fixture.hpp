// An App with fake parts: a source the test fills and one fake transport a destination. With an
// exchange it has a spool, and a source of frames that are to be confirmed.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "sidecar/app/app.hpp"
#include "support/fake_confirm_source.hpp"
#include "support/fake_source.hpp"
#include "support/fake_transport.hpp"
#include "support/frames.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"

namespace outrider::test {

/// Reads what the test wants, when the test says so.
struct FakeReloadPreparer final : sidecar::ReloadPreparer {
  bool begin(const sidecar::Config& running) override {
    if (is_hanging) return false;
    prepared = sidecar::prepare_reload(
        [this] {
          sidecar::LoadResult result;
          result.loaded.config = wanted;
          if (!error.empty()) result.errors = {{error}};
          return result;
        },
        prepare, running);
    return true;
  }
  std::optional<sidecar::PreparedReload> take() override {
    if (!is_ready) return std::nullopt;
    return std::exchange(prepared, std::nullopt);
  }

  sidecar::Config wanted;
  std::string error;  ///< of the file
  sidecar::PrepareTransport prepare;
  bool is_ready = true;
  bool is_hanging = false;
  std::optional<sidecar::PreparedReload> prepared;
};

struct FakeApp {
  /// Of each transport that is made, at the start or by a reload.
  using OnTransport = std::function<void(const sidecar::DestinationConfig&, FakeTransport&)>;

  explicit FakeApp(const sidecar::Config& config, std::uint64_t seed = 1,
                   sidecar::Exchange* exchange = nullptr,
                   const sidecar::SpoolState& spool_state = {}, OnTransport on_transport = {}) {
    auto owned_source = std::make_unique<FakeSource>();
    source = owned_source.get();
    sidecar::AppParts parts;
    parts.source = std::move(owned_source);
    parts.seed = seed;
    parts.snapshots = {&board, &loop, {}, {}};
    parts.control = &control;
    parts.set_log_level = [this](sidecar::LogLevel level) { log_level = level; };
    if (exchange != nullptr) {
      auto owned_confirm_source = std::make_unique<FakeConfirmSource>();
      confirm_source = owned_confirm_source.get();
      parts.confirm_source = std::move(owned_confirm_source);
      parts.exchange = exchange;
      parts.spool_state = spool_state;
    }
    parts.make_transport =
        [this, on_transport](
            const sidecar::DestinationConfig& destination,
            const sidecar::BodyKind&) -> sidecar::Result<std::unique_ptr<sidecar::Transport>> {
      auto transport = std::make_unique<FakeTransport>();
      transports.push_back(transport.get());
      if (on_transport) on_transport(destination, *transport);
      return std::unique_ptr<sidecar::Transport>(std::move(transport));
    };
    preparer.wanted = config;
    preparer.prepare = [make = parts.make_transport](const sidecar::DestinationConfig& destination)
        -> sidecar::Result<sidecar::FinishTransport> {
      return sidecar::FinishTransport(
          [make, destination](const sidecar::BodyKind& body) { return make(destination, body); });
    };
    parts.reloads = &reloads;
    parts.reload_preparer = &preparer;
    app = std::move(sidecar::App::create(config, std::move(parts), log).value());
  }

  void turn() {
    while (app->do_work(clock.now()) > 0) {
    }
  }

  /// One that is begun now; with several turns if there are many destinations.
  sidecar::SnapshotBoard::Pointer snapshot() {
    ask_for_snapshot();
    const auto before = board.latest();
    while (board.latest() == before && !app->is_finished()) app->do_work(clock.now());
    return board.latest();
  }
  /// Nobody waits for it.
  void ask_for_snapshot() { board.fresh(sidecar::Duration::zero()); }

  /// What became of it, in the next turn.
  sidecar::Status request(sidecar::ControlRequest request) {
    std::future<sidecar::Status> answer = control.post(std::move(request));
    app->do_work(clock.now());
    return answer.get();
  }

  /// What became of a reload to this configuration, if it is known after the turns of one sleep.
  std::optional<sidecar::ReloadOutcome> reload(const sidecar::Config& wanted) {
    preparer.wanted = wanted;
    const std::uint64_t ticket = reloads.ask("a test");
    turn();
    return reloads.outcome(ticket);
  }

  ManualClock clock;
  MemoryLog log;
  sidecar::LogLevel log_level = sidecar::LogLevel::info;
  sidecar::LoopMeter loop;
  sidecar::SnapshotBoard board{[] {}};
  sidecar::ControlQueue control{[] {}};
  FakeSource* source = nullptr;
  FakeConfirmSource* confirm_source = nullptr;  ///< null without a spool
  sidecar::ReloadBoard reloads{[] {}};
  FakeReloadPreparer preparer;
  /// One a destination, in the order of the configuration; then those that reloads have made.
  std::vector<FakeTransport*> transports;
  std::unique_ptr<sidecar::App> app;
};

}  // namespace outrider::test
