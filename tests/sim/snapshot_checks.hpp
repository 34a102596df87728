// What must be true of each Snapshot, and of any two in a row, whatever happens meanwhile.
#pragma once

#include <algorithm>
#include <optional>

#include <gtest/gtest.h>

#include "sidecar/app/report.hpp"
#include "sidecar/observe/snapshot.hpp"
#include "sidecar/observe/time_to_loss.hpp"

namespace outrider::test {

class SnapshotChecks {
 public:
  /// A reload may make a queue smaller than what it holds.
  bool queues_shrink = false;

  /// `report`: of the same moment.
  void check(const sidecar::Snapshot& now, const sidecar::Report& report) {
    ASSERT_EQ(now.destinations.size(), report.destinations.size());
    ASSERT_EQ(now.ingest.events, report.ingest.events);
    for (std::size_t i = 0; i < now.destinations.size(); ++i) {
      check(now.destinations[i], report.destinations[i].ledger);
    }
    if (last_) check_fallen(now);
    last_ = now;
  }

 private:
  void check(const sidecar::DestinationSnapshot& it, const sidecar::Ledger& ledger) {
    ASSERT_TRUE(it.ledger.is_balanced()) << it.name;
    ASSERT_EQ(it.ledger.accepted, ledger.accepted);
    ASSERT_EQ(it.ledger.queued, ledger.queued);
    ASSERT_EQ(it.ledger.dropped, ledger.dropped);
    ASSERT_EQ(it.ledger.dead, ledger.dead);
    ASSERT_EQ(it.settle_time.total(), ledger.delivered);
    ASSERT_EQ(it.oldest_age.has_value(), ledger.queued + ledger.in_flight > 0) << it.name;
    if (!queues_shrink) {
      ASSERT_LE(it.queue_bytes, it.queue_bytes_max);
    }
    ASSERT_GE(it.arrival_rate_per_s, 0);
    if (it.time_to_loss) {
      ASSERT_GE(it.time_to_loss->left.count(), 0);
      ASSERT_LE(it.time_to_loss->left, sidecar::longest_time_to_loss);
    }
    ASSERT_EQ(it.open_for.has_value(), it.breaker != sidecar::BreakerState::closed);
  }

  void check_fallen(const sidecar::Snapshot& now) {
    ASSERT_GE(now.number, last_->number);
    ASSERT_GE(now.taken_at, last_->taken_at);
    ASSERT_EQ(now.boot_id, last_->boot_id);
    ASSERT_GE(now.ingest.frames, last_->ingest.frames);
    ASSERT_GE(now.ingest.events, last_->ingest.events);
    ASSERT_GE(now.ingest.frames_refused, last_->ingest.frames_refused);
    ASSERT_GE(now.ingest.events_refused, last_->ingest.events_refused);
    ASSERT_GE(now.ingest.frames_missing, last_->ingest.frames_missing);
    ASSERT_GE(now.ingest.unrouted, last_->ingest.unrouted);
    // A reload may have added some, and none disappears.
    for (const sidecar::DestinationSnapshot& before : last_->destinations) {
      const auto found =
          std::ranges::find(now.destinations, before.name, &sidecar::DestinationSnapshot::name);
      ASSERT_NE(found, now.destinations.end()) << before.name;
      check_fallen(*found, before);
    }
  }

  template <typename Counts>
  static void check_counts(const Counts& now, const Counts& last) {
    for (std::size_t i = 0; i < now.size(); ++i) ASSERT_GE(now[i], last[i]) << i;
  }

  static void check_fallen(const sidecar::DestinationSnapshot& now,
                           const sidecar::DestinationSnapshot& last) {
    ASSERT_GE(now.ledger.accepted, last.ledger.accepted);
    ASSERT_GE(now.ledger.delivered, last.ledger.delivered);
    ASSERT_GE(now.ledger.recovered, last.ledger.recovered);
    check_counts(now.ledger.dropped, last.ledger.dropped);
    check_counts(now.ledger.dead, last.ledger.dead);
    check_counts(now.requests, last.requests);
    check_counts(now.request_time.counts, last.request_time.counts);
    check_counts(now.settle_time.counts, last.settle_time.counts);
    ASSERT_GE(now.settle_time.sum, last.settle_time.sum);
    ASSERT_GE(now.retries, last.retries);
    ASSERT_GE(now.breaker_openings, last.breaker_openings);
  }

  std::optional<sidecar::Snapshot> last_;
};

}  // namespace outrider::test
