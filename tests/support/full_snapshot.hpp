// A snapshot in which every field has a value, and no two numbers are the same: so a value that is
// read from the wrong field is seen. For tests and benchmarks of whatever shows snapshots.
#pragma once

#include <cstdint>
#include <string>

#include "proto/refusal.hpp"
#include "sidecar/observe/snapshot.hpp"

namespace outrider::test {

class SnapshotFiller {
 public:
  std::uint64_t count() { return next_++; }
  sidecar::Duration duration() { return std::chrono::milliseconds(next_++); }
  sidecar::WallTime time() {
    return sidecar::WallTime(std::chrono::seconds(1'800'000'000 + next_++));
  }
  sidecar::DurationHistogram histogram() {
    sidecar::DurationHistogram made;
    for (std::uint64_t& bucket : made.counts) bucket = count();
    made.sum = duration();
    return made;
  }

  sidecar::DestinationSnapshot destination(const std::string& name) {
    sidecar::DestinationSnapshot made;
    made.name = name;
    made.type = "http";
    fill(made.ledger);
    made.breaker = sidecar::BreakerState::half_open;
    made.open_for = duration();
    made.breaker_openings = count();
    made.is_held = made.is_disabled = true;
    made.paused_for = duration();
    made.pause = sidecar::PauseSnapshot{time(), time(), "uid 1000"};
    made.last_failure = "503";
    made.last_answer = "busy";
    made.concurrency_limit = count();
    made.requests_in_flight = count();
    made.retries = count();
    for (std::uint64_t& requests : made.requests) requests = count();
    made.request_time = histogram();
    made.settle_time = histogram();
    made.queue_bytes = count();
    made.queue_events_max = count();
    made.queue_bytes_max = count();
    made.oldest_age = duration();
    made.lane_bytes = count();
    made.lane_bytes_max = count();
    made.arrival_rate_per_s = 12.5;
    made.time_to_loss = sidecar::TimeToLoss{duration(), sidecar::LossLimit::lane_bytes};
    made.urls = {{"https://a.example/in", true, false}, {"https://b.example/in", false, true}};
    return made;
  }

  sidecar::ScheduleSnapshot schedule(const std::string& name) {
    return {name, time(), time(), count(), count(), count()};
  }

 private:
  void fill(sidecar::Ledger& ledger) {
    ledger.delivered = count();
    for (std::uint64_t& events : ledger.dropped) events = count();
    for (std::uint64_t& events : ledger.dead) events = count();
    ledger.queued = count();
    ledger.in_flight = count();
    ledger.spooled = count();
    ledger.scheduled = count();
    ledger.recovered = count();
    ledger.accepted = ledger.delivered + ledger.dropped_total() + ledger.dead_total() +
                      ledger.queued + ledger.in_flight + ledger.spooled + ledger.scheduled;
  }

  std::uint64_t next_ = 1001;
};

inline void fill(SnapshotFiller& filler, sidecar::IngestSnapshot& ingest) {
  ingest.frames = filler.count();
  ingest.events = filler.count();
  ingest.frames_refused = filler.count();
  ingest.events_refused = filler.count();
  for (const proto::RefusalRow& row : proto::refusals) {
    ingest.refused[static_cast<std::size_t>(row.refusal)] = filler.count();
  }
  ingest.frames_confirmed = filler.count();
  ingest.events_confirmed = filler.count();
  ingest.frames_missing = filler.count();
  ingest.unrouted = filler.count();
  ingest.client_drops = {{"buffer_full", filler.count()}, {"other", filler.count()}};
  ingest.clients = filler.count();
  ingest.connections = filler.count();
  ingest.connections_refused = filler.count();
  ingest.connections_cut_off = filler.count();
}

inline sidecar::SpoolSnapshot full_spool(SnapshotFiller& filler) {
  sidecar::SpoolSnapshot spool;
  spool.bytes = filler.count();
  spool.bytes_max = filler.count();
  spool.database_bytes = filler.count();
  spool.log_bytes = filler.count();
  spool.free_page_bytes = filler.count();
  spool.disk_free_bytes = filler.count();
  spool.dead_events = filler.count();
  spool.dead_bytes = filler.count();
  spool.transactions = filler.count();
  spool.transaction_time = filler.histogram();
  spool.is_failing = true;
  return spool;
}

/// With so many destinations, destination_0 and so on, and as many schedules.
inline sidecar::Snapshot full_snapshot(std::size_t destinations = 1) {
  SnapshotFiller filler;
  sidecar::Snapshot made;
  made.number = filler.count();
  made.taken_at = sidecar::MonoTime(filler.duration());
  made.taken_at_wall = filler.time();
  made.boot_id = "0190a1b2-0000-7000-8000-000000000000";
  made.started_at = filler.time();
  made.phase = sidecar::LifePhase::stopping;
  made.version = "1.2.3";
  made.log_lines_dropped = filler.count();
  fill(filler, made.ingest);
  made.spool = full_spool(filler);
  made.loop = {filler.count(), filler.duration(), filler.duration()};
  made.config.file = "/etc/outrider/outrider.conf";
  made.config.hash = "00ff00ff00ff89ab";
  made.config.generation = filler.count();
  made.config.loaded_at = filler.time();
  for (std::size_t i = 0; i < destinations; ++i) {
    made.destinations.push_back(filler.destination("destination_" + std::to_string(i)));
    made.schedules.push_back(filler.schedule("schedule_" + std::to_string(i)));
  }
  return made;
}

}  // namespace outrider::test
