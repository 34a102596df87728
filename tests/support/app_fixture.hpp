// An App with fake parts: a source the test fills and one fake transport a destination.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sidecar/app/app.hpp"
#include "support/fake_source.hpp"
#include "support/fake_transport.hpp"
#include "support/frames.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"

namespace outrider::test {

struct FakeApp {
  explicit FakeApp(const sidecar::Config& config, std::uint64_t seed = 1) {
    auto owned_source = std::make_unique<FakeSource>();
    source = owned_source.get();
    sidecar::AppParts parts;
    parts.source = std::move(owned_source);
    parts.seed = seed;
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

  ManualClock clock;
  MemoryLog log;
  FakeSource* source = nullptr;
  std::vector<FakeTransport*> transports;  ///< one a destination, in the order of the configuration
  std::unique_ptr<sidecar::App> app;
};

}  // namespace outrider::test
