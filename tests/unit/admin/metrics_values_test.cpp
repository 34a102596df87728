// Each metric has the value of its field. The snapshot holds no number twice.
#include <gtest/gtest.h>

#include "sidecar/admin/metrics.hpp"
#include "support/full_snapshot.hpp"
#include "unit/admin/metrics_text.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using Samples = std::map<std::string, std::string>;

constexpr Duration age = 125ms;

/// One part of the answer: a sample that is taken out of it has been checked.
class MetricsValues : public testing::Test {
 protected:
  void expect(const std::string& sample, std::uint64_t value) {
    expect_text(sample, std::to_string(value));
  }
  /// Whole milliseconds, as all durations of the snapshot are.
  void expect(const std::string& sample, Duration value) {
    std::string text = std::to_string(value / 1s);
    const std::string thousandths = std::to_string(1000 + value / 1ms % 1000).substr(1);
    if (thousandths != "000")
      text += "." + thousandths.substr(0, thousandths.find_last_not_of('0') + 1);
    expect_text(sample, text);
  }
  void expect(const std::string& sample, WallTime value) {
    expect(sample, value.time_since_epoch());
  }
  void expect_histogram(const std::string& name, const std::string& label,
                        const DurationHistogram& histogram) {
    static const std::vector<std::string> bounds = {"0.001", "0.01", "0.1", "0.5",
                                                    "2",     "10",   "60",  "+Inf"};
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      count += histogram.counts[i];
      expect(name + "_bucket{" + label + (label.empty() ? "" : ",") + "le=\"" + bounds[i] + "\"}",
             count);
    }
    const std::string labels = label.empty() ? "" : "{" + label + "}";
    expect(name + "_sum" + labels, std::chrono::round<std::chrono::milliseconds>(histogram.sum));
    expect(name + "_count" + labels, histogram.total());
  }
  void expect_text(const std::string& sample, const std::string& text) {
    const auto found = samples_.find(sample);
    ASSERT_NE(found, samples_.end()) << sample;
    EXPECT_EQ(found->second, text) << sample;
    samples_.erase(found);
  }
  /// Nothing of this kind is left that no test knows.
  void expect_no_more(const std::string& prefix) {
    for (const auto& [sample, value] : samples_) EXPECT_FALSE(sample.starts_with(prefix)) << sample;
  }

  const Snapshot snapshot_ = test::full_snapshot();
  const ProcessUsage process_{1500ms, 2001, 2002, 2003, 2004, WallTime(1'700'000'000s)};
  Samples samples_ = test::samples_of(format_metrics(snapshot_, age, process_));
};

TEST_F(MetricsValues, OfTheLedger) {
  const Ledger& ledger = snapshot_.destinations[0].ledger;
  const std::string prefix = "outrider_destination_events_";
  const auto of = [](const std::string& more = "") {
    return "{destination=\"destination_0\"" + more + "}";
  };
  expect(prefix + "accepted_total" + of(), ledger.accepted);
  expect(prefix + "recovered_total" + of(), ledger.recovered);
  expect(prefix + "delivered_total" + of(), ledger.delivered);
  for (const DropReasonRow& row : drop_reasons) {
    expect(prefix + "dropped_total" + of(",reason=\"" + std::string(row.name) + "\""),
           ledger.dropped_for(row.reason));
  }
  for (const DeadReasonRow& row : dead_reasons) {
    expect(prefix + "dead_total" + of(",reason=\"" + std::string(row.name) + "\""),
           ledger.dead_for(row.reason));
  }
  expect(prefix + "queued" + of(), ledger.queued);
  expect(prefix + "in_flight" + of(), ledger.in_flight);
  expect(prefix + "spooled" + of(), ledger.spooled);
  expect(prefix + "scheduled" + of(), ledger.scheduled);
  expect_no_more(prefix);
}

TEST_F(MetricsValues, OfADestination) {
  const DestinationSnapshot& destination = snapshot_.destinations[0];
  const std::string prefix = "outrider_destination_";
  const std::string label = "destination=\"destination_0\"";
  const auto sample = [&](const std::string& name, const std::string& more = "") {
    return prefix + name + "{" + label + more + "}";
  };
  expect(sample("queue_bytes"), destination.queue_bytes);
  expect(sample("oldest_event_age_seconds"), *destination.oldest_age);
  expect(sample("lane_bytes"), destination.lane_bytes);
  expect(sample("time_to_loss_seconds", ",limit=\"spool_bytes_max\""),
         destination.time_to_loss->left);
  expect(sample("breaker_state"), 2);
  expect(sample("breaker_openings_total"), destination.breaker_openings);
  for (const char* flag : {"held", "disabled", "paused"}) expect(sample(flag), 1);
  expect(sample("retry_after_seconds"), *destination.paused_for);
  expect(sample("concurrency_limit"), destination.concurrency_limit);
  expect(sample("requests_in_flight"), destination.requests_in_flight);
  const auto& requests = destination.requests;
  expect(sample("requests_total", ",class=\"none\""), requests[0] + requests[1]);
  expect(sample("requests_total", ",class=\"2xx\""), requests[2]);
  expect(sample("requests_total", ",class=\"3xx\""), requests[3]);
  expect(sample("requests_total", ",class=\"4xx\""), requests[4]);
  expect(sample("requests_total", ",class=\"5xx\""), requests[5]);
  expect(sample("retries_total"), destination.retries);
  expect_histogram(prefix + "request_duration_seconds", label, destination.request_time);
  expect_histogram(prefix + "delivery_duration_seconds", label, destination.settle_time);
  std::erase_if(samples_,
                [&](const auto& each) { return each.first.starts_with(prefix + "events_"); });
  expect_no_more(prefix);
}

TEST_F(MetricsValues, OfTheIngest) {
  const IngestSnapshot& ingest = snapshot_.ingest;
  expect("outrider_ingest_frames_total", ingest.frames);
  expect("outrider_ingest_events_total", ingest.events);
  expect("outrider_ingest_frames_refused_total", ingest.frames_refused);
  expect("outrider_ingest_events_refused_total", ingest.events_refused);
  for (const proto::RefusalRow& row : proto::refusals) {
    expect("outrider_ingest_refusals_total{reason=\"" + std::string(row.name) + "\"}",
           ingest.refused[static_cast<std::size_t>(row.refusal)]);
  }
  expect("outrider_ingest_frames_confirmed_total", ingest.frames_confirmed);
  expect("outrider_ingest_events_confirmed_total", ingest.events_confirmed);
  expect("outrider_ingest_frames_missing_total", ingest.frames_missing);
  expect("outrider_ingest_events_unrouted_total", ingest.unrouted);
  expect_no_more("outrider_ingest");
  expect("outrider_clients", ingest.clients);
  expect("outrider_client_connections", ingest.connections);
  expect("outrider_client_connections_refused_total", ingest.connections_refused);
  expect("outrider_client_connections_cut_off_total", ingest.connections_cut_off);
  for (const auto& [reason, events] : ingest.client_drops) {
    expect("outrider_client_events_dropped_total{reason=\"" + reason + "\"}", events);
  }
  expect_no_more("outrider_client");
}

TEST_F(MetricsValues, OfTheSpool) {
  const SpoolSnapshot& spool = *snapshot_.spool;
  expect("outrider_spool_bytes", spool.bytes);
  expect("outrider_spool_max_bytes", spool.bytes_max);
  expect("outrider_spool_database_bytes", spool.database_bytes);
  expect("outrider_spool_log_bytes", spool.log_bytes);
  expect("outrider_spool_free_page_bytes", spool.free_page_bytes);
  expect("outrider_spool_disk_free_bytes", spool.disk_free_bytes);
  expect("outrider_spool_transactions_total", spool.transactions);
  expect_histogram("outrider_spool_transaction_duration_seconds", "", spool.transaction_time);
  expect("outrider_spool_failing", 1);
  expect_no_more("outrider_spool");
  expect("outrider_dead_letters", spool.dead_events);
  expect("outrider_dead_letters_bytes", spool.dead_bytes);
}

TEST_F(MetricsValues, OfASchedule) {
  const ScheduleSnapshot& schedule = snapshot_.schedules[0];
  const std::string label = "{schedule=\"schedule_0\"}";
  expect("outrider_schedule_runs_total" + label, schedule.runs);
  expect("outrider_schedule_missed_total" + label, schedule.missed);
  expect("outrider_schedule_late_total" + label, schedule.late);
  expect("outrider_schedule_last_run_timestamp_seconds" + label, *schedule.last);
  expect("outrider_schedule_next_run_timestamp_seconds" + label, *schedule.next);
  expect_no_more("outrider_schedule_");
}

TEST_F(MetricsValues, OfTheSidecar) {
  for (const char* part : {"outrider_destination_", "outrider_ingest", "outrider_client",
                           "outrider_spool", "outrider_dead", "outrider_schedule_"}) {
    std::erase_if(samples_, [&](const auto& each) { return each.first.starts_with(part); });
  }
  expect("outrider_snapshot_age_seconds", age);
  expect("outrider_destinations_left_out", 0);
  expect("outrider_schedules_left_out", 0);
  expect("outrider_build_info{version=\"1.2.3\"}", 1);
  expect("outrider_phase", 2);
  expect("outrider_destinations", 1);
  expect("outrider_log_lines_dropped_total", snapshot_.log_lines_dropped);
  expect("outrider_loop_turns_total", snapshot_.loop.turns);
  expect("outrider_loop_busy_seconds_total", snapshot_.loop.busy);
  expect("outrider_loop_longest_turn_seconds", snapshot_.loop.longest_turn);
  expect("outrider_config_last_reload_successful", 1);
  expect("outrider_config_loaded_timestamp_seconds", snapshot_.config.loaded_at);
  expect("outrider_config_generation", snapshot_.config.generation);
  expect("outrider_config_hash", 0x00ff00ff00ff);
  expect_no_more("outrider");
  expect("process_cpu_seconds_total", *process_.cpu_time);
  expect("process_resident_memory_bytes", *process_.resident_memory_bytes);
  expect("process_virtual_memory_bytes", *process_.virtual_memory_bytes);
  expect("process_open_fds", *process_.open_fds);
  expect("process_max_fds", *process_.max_fds);
  expect("process_start_time_seconds", *process_.start_time);
  expect_no_more("");
}

}  // namespace
}  // namespace outrider::sidecar
