// Routes in front of a loop that a test plays.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sidecar/admin/routes.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"

namespace outrider::test {

using namespace std::chrono_literals;

/// A snapshot in which no value is empty.
inline sidecar::Snapshot full_snapshot(const sidecar::Now& now) {
  sidecar::Snapshot snapshot;
  snapshot.number = 7;
  snapshot.taken_at = now.mono;
  snapshot.taken_at_wall = snapshot.started_at = snapshot.config.loaded_at = now.wall;
  snapshot.boot_id = "0190-boot";
  snapshot.phase = sidecar::LifePhase::running;
  snapshot.version = "1.2.3";
  snapshot.config.file = "/etc/outrider.conf";
  snapshot.config.hash = "abcd";
  snapshot.ingest.client_drops = {{"buffer_full", 3}};
  sidecar::DestinationSnapshot& one = snapshot.destinations.emplace_back();
  one.name = "audit";
  one.type = "http";
  one.ledger.accepted = 9'007'199'254'740'993;
  one.ledger.drop(sidecar::DropReason::expired, 5);
  one.open_for = one.paused_for = one.oldest_age = 1500ms;
  one.pause =
      sidecar::PauseSnapshot{.since = now.wall, .until = now.wall + 60s, .who = "unix uid=0"};
  one.last_failure = "503 \"busy\"\n";
  one.last_answer = "canary-answer";
  one.request_time.add(20ms, 4);
  one.time_to_loss = sidecar::TimeToLoss{.left = 90s, .limit = sidecar::LossLimit::queue_bytes};
  one.urls.push_back({.url = "https://collector.example/"});
  snapshot.schedules.push_back({.name = "nightly", .last = now.wall, .next = now.wall});
  snapshot.spool.emplace();
  return snapshot;
}

class AdminFixture : public testing::Test {
 protected:
  void publish(sidecar::Snapshot snapshot) {
    board_.begin();
    board_.publish(std::make_shared<const sidecar::Snapshot>(std::move(snapshot)));
  }
  void publish() { publish(full_snapshot(clock_.now())); }

  /// As the server does it.
  sidecar::HttpAnswer ask(const sidecar::HttpRequest& request) {
    if (auto refusal = routes_->refuse(request)) return *refusal;
    return routes_->answer(request);
  }
  sidecar::HttpAnswer get(const std::string& path, sidecar::HttpRequest::Pairs arguments = {}) {
    return ask({.method = "GET",
                .path = path,
                .arguments = std::move(arguments),
                .headers = {{"host", "localhost"}},
                .body = {},
                .peer = "unix uid=7 pid=8"});
  }
  sidecar::HttpAnswer post(const std::string& path, const std::string& body = "") {
    return ask({.method = "POST",
                .path = path,
                .arguments = {},
                .headers = {{"host", "localhost"}, {"content-type", "application/json"}},
                .body = body,
                .peer = "unix uid=7 pid=8"});
  }
  void use(sidecar::AccessRules rules) { routes_.emplace(world(), std::move(rules)); }

  sidecar::AdminWorld world() {
    return {board_, control_, reloads_, changes_, log_, clock_, dead_};
  }

  sidecar::DeadJobs* dead_ = nullptr;
  ManualClock clock_;
  MemoryLog log_;
  sidecar::ChangeLog changes_{log_, clock_};
  sidecar::SnapshotBoard board_{[] {}};
  /// What was posted; carried out with `outcome_` unless the loop hangs.
  std::vector<sidecar::ControlRequest> posted_;
  sidecar::Status outcome_ = sidecar::Nothing{};
  bool loop_hangs_ = false;
  /// What a reload comes to, unless the loop hangs.
  sidecar::ReloadOutcome reload_outcome_{
      sidecar::ReloadResult::applied, {"nothing has changed"}, 2};
  sidecar::ReloadBoard reloads_{[this] {
    if (loop_hangs_) return;
    reloads_.begin();
    reloads_.finish(reload_outcome_);
  }};
  sidecar::ControlQueue control_{[this] {
    if (loop_hangs_) return;
    for (auto& pending : control_.take()) {
      posted_.push_back(pending.request);
      pending.answer.set_value(outcome_);
    }
  }};
  std::optional<sidecar::Routes> routes_{std::in_place, world(), sidecar::AccessRules{}};
};

}  // namespace outrider::test
