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

struct FakeApp {
  explicit FakeApp(const sidecar::Config& config, std::uint64_t seed = 1,
                   sidecar::Exchange* exchange = nullptr,
                   const sidecar::SpoolState& spool_state = {}) {
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
        [this](const sidecar::DestinationConfig&,
               const sidecar::BodyKind&) -> sidecar::Result<std::unique_ptr<sidecar::Transport>> {
      auto transport = std::make_unique<FakeTransport>();
      transports.push_back(transport.get());
      return std::unique_ptr<sidecar::Transport>(std::move(transport));
    };
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

  ManualClock clock;
  MemoryLog log;
  sidecar::LogLevel log_level = sidecar::LogLevel::info;
  sidecar::LoopMeter loop;
  sidecar::SnapshotBoard board{[] {}};
  sidecar::ControlQueue control{[] {}};
  FakeSource* source = nullptr;
  FakeConfirmSource* confirm_source = nullptr;  ///< null without a spool
  std::vector<FakeTransport*> transports;  ///< one a destination, in the order of the configuration
  std::unique_ptr<sidecar::App> app;
};

}  // namespace outrider::test
