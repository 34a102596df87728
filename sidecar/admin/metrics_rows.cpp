#include "sidecar/admin/metrics_rows.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "proto/refusal.hpp"

namespace outrider::sidecar {
namespace {

using enum MetricType;
using Destination = DestinationSnapshot;
using Ingest = IngestSnapshot;

/// The client table has 33 at most.
constexpr std::size_t client_reasons_max = 64;
/// A number with more bits is not exact in Prometheus.
constexpr std::size_t hash_digits = 12;

/// The value that the path of members leads to.
template <auto... Path, typename Item>
void value(const Item& item, MetricsWriter& out) {
  out.add((item.*....*Path));
}

/// 0 where an empty optional means that there is nothing to measure.
template <auto Member, typename Item>
void duration_or_0(const Item& item, MetricsWriter& out) {
  out.add((item.*Member).value_or(Duration{}));
}

template <auto Member, typename Item>
void state(const Item& item, MetricsWriter& out) {
  out.add(static_cast<std::uint64_t>(item.*Member));
}

void dropped(const Destination& destination, MetricsWriter& out) {
  for (const DropReasonRow& row : drop_reasons) {
    out.add(row.name, destination.ledger.dropped_for(row.reason));
  }
}

void dead(const Destination& destination, MetricsWriter& out) {
  for (const DeadReasonRow& row : dead_reasons) {
    out.add(row.name, destination.ledger.dead_for(row.reason));
  }
}

/// A request that ended with an interim answer alone has no final one: it is counted with "none".
void requests(const Destination& destination, MetricsWriter& out) {
  const auto count = [&](StatusClass status_class) {
    return destination.requests[static_cast<std::size_t>(status_class)];
  };
  out.add(name_of(StatusClass::none), count(StatusClass::none) + count(StatusClass::informational));
  for (const StatusClass status_class :
       {StatusClass::success, StatusClass::redirect, StatusClass::client, StatusClass::server}) {
    out.add(name_of(status_class), count(status_class));
  }
}

void oldest_age(const Destination& destination, MetricsWriter& out) {
  const bool is_empty = destination.ledger.queued == 0 && destination.ledger.in_flight == 0;
  out.add(is_empty ? Duration{} : destination.oldest_age);
}

void time_to_loss(const Destination& destination, MetricsWriter& out) {
  if (const auto& loss = destination.time_to_loss) out.add(name_of(loss->limit), loss->left);
}

void refusals(const Snapshot& snapshot, MetricsWriter& out) {
  for (const proto::RefusalRow& row : proto::refusals) {
    out.add(row.name, snapshot.ingest.refused[static_cast<std::size_t>(row.refusal)]);
  }
}

void client_drops(const Snapshot& snapshot, MetricsWriter& out) {
  const auto& drops = snapshot.ingest.client_drops;
  for (std::size_t i = 0; i < std::min(drops.size(), client_reasons_max); ++i) {
    out.add(drops[i].first, drops[i].second);
  }
}

/// The beginning of the hash as a number: one series, and not a new one after each change.
void config_hash(const Snapshot& snapshot, MetricsWriter& out) {
  const std::string_view digits = std::string_view(snapshot.config.hash).substr(0, hash_digits);
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (error == std::errc() && end == digits.data() + digits.size()) out.add(number);
}

void destinations(const Snapshot& snapshot, MetricsWriter& out) {
  out.add(std::uint64_t{snapshot.destinations.size()});
}

void build_info(const Snapshot& snapshot, MetricsWriter& out) {
  out.add(snapshot.version, 1);
}

constexpr std::array answer_rows = {
    MetricRow<MetricsAnswer>{
        {"outrider_snapshot_age_seconds", gauge,
         "Age of the figures about events. It grows while the loop hangs.", ""},
        value<&MetricsAnswer::snapshot_age>},
    MetricRow<MetricsAnswer>{{"outrider_destinations_left_out", gauge,
                              "Destinations without metrics, because the answer has a limit.", ""},
                             value<&MetricsAnswer::destinations_left_out>},
    MetricRow<MetricsAnswer>{{"outrider_schedules_left_out", gauge,
                              "Schedules without metrics, because the answer has a limit.", ""},
                             value<&MetricsAnswer::schedules_left_out>},
};

constexpr std::array snapshot_rows = {
    MetricRow<Snapshot>{
        {"outrider_build_info", gauge, "Always 1. The label has the version.", "version"},
        build_info},
    MetricRow<Snapshot>{{"outrider_phase", gauge,
                         "Phase of the process: 0 starting, 1 running, 2 stopping, 3 stopped.", ""},
                        state<&Snapshot::phase>},
    MetricRow<Snapshot>{{"outrider_destinations", gauge, "Destinations of the configuration.", ""},
                        destinations},
    MetricRow<Snapshot>{{"outrider_log_lines_dropped_total", counter,
                         "Log lines that were lost because stderr was not read in time.", ""},
                        value<&Snapshot::log_lines_dropped>},
    MetricRow<Snapshot>{{"outrider_loop_turns_total", counter, "Turns of the loop.", ""},
                        value<&Snapshot::loop, &LoopSnapshot::turns>},
    MetricRow<Snapshot>{
        {"outrider_loop_busy_seconds_total", counter, "Time that the loop did not sleep.", ""},
        value<&Snapshot::loop, &LoopSnapshot::busy>},
    MetricRow<Snapshot>{{"outrider_loop_longest_turn_seconds", gauge,
                         "The longest turn of the loop in the last minute.", ""},
                        value<&Snapshot::loop, &LoopSnapshot::longest_turn>},
    MetricRow<Snapshot>{{"outrider_config_last_reload_successful", gauge,
                         "1 if the last load of the configuration succeeded, else 0.", ""},
                        value<&Snapshot::config, &ConfigSnapshot::is_last_reload_good>},
    MetricRow<Snapshot>{{"outrider_config_loaded_timestamp_seconds", gauge,
                         "When the configuration in use was loaded, since 1970.", ""},
                        value<&Snapshot::config, &ConfigSnapshot::loaded_at>},
    MetricRow<Snapshot>{{"outrider_config_generation", gauge,
                         "Number of the configuration in use. It is 1 after the start.", ""},
                        value<&Snapshot::config, &ConfigSnapshot::generation>},
    MetricRow<Snapshot>{{"outrider_config_hash", gauge,
                         "The first 48 bits of the hash of the configuration, as a number.", ""},
                        config_hash},
    MetricRow<Snapshot>{{"outrider_ingest_frames_total", counter,
                         "Frames that arrived, with those that were refused.", ""},
                        value<&Snapshot::ingest, &Ingest::frames>},
    MetricRow<Snapshot>{{"outrider_ingest_events_total", counter, "Events that were accepted.", ""},
                        value<&Snapshot::ingest, &Ingest::events>},
    MetricRow<Snapshot>{{"outrider_ingest_frames_refused_total", counter,
                         "Frames that were refused whole and for good.", ""},
                        value<&Snapshot::ingest, &Ingest::frames_refused>},
    MetricRow<Snapshot>{{"outrider_ingest_events_refused_total", counter,
                         "Single events that were refused for good.", ""},
                        value<&Snapshot::ingest, &Ingest::events_refused>},
    MetricRow<Snapshot>{{"outrider_ingest_refusals_total", counter,
                         "Refusals of frames and of single events, by reason. A temporary refusal "
                         "counts each time.",
                         "reason"},
                        refusals},
    MetricRow<Snapshot>{{"outrider_ingest_frames_confirmed_total", counter,
                         "Frames that were confirmed to their clients.", ""},
                        value<&Snapshot::ingest, &Ingest::frames_confirmed>},
    MetricRow<Snapshot>{{"outrider_ingest_events_confirmed_total", counter,
                         "Events that were confirmed to their clients.", ""},
                        value<&Snapshot::ingest, &Ingest::events_confirmed>},
    MetricRow<Snapshot>{{"outrider_ingest_frames_missing_total", counter,
                         "Frames that clients numbered and that never arrived.", ""},
                        value<&Snapshot::ingest, &Ingest::frames_missing>},
    MetricRow<Snapshot>{{"outrider_ingest_events_unrouted_total", counter,
                         "Accepted events whose topic no destination takes.", ""},
                        value<&Snapshot::ingest, &Ingest::unrouted>},
    MetricRow<Snapshot>{{"outrider_clients", gauge, "Clients that are known by their ids.", ""},
                        value<&Snapshot::ingest, &Ingest::clients>},
    MetricRow<Snapshot>{{"outrider_client_connections", gauge, "Open connections of clients.", ""},
                        value<&Snapshot::ingest, &Ingest::connections>},
    MetricRow<Snapshot>{{"outrider_client_connections_refused_total", counter,
                         "Connections of clients refused because descriptors ran out.", ""},
                        value<&Snapshot::ingest, &Ingest::connections_refused>},
    MetricRow<Snapshot>{{"outrider_client_connections_cut_off_total", counter,
                         "Connections of clients closed because of invalid traffic.", ""},
                        value<&Snapshot::ingest, &Ingest::connections_cut_off>},
    MetricRow<Snapshot>{{"outrider_client_events_dropped_total", counter,
                         "Events that the clients dropped themselves, as they report.", "reason"},
                        client_drops},
};

constexpr std::array spool_rows = {
    MetricRow<SpoolSnapshot>{
        {"outrider_spool_bytes", gauge, "Size of the spool on disk, its database and its log.", ""},
        value<&SpoolSnapshot::bytes>},
    MetricRow<SpoolSnapshot>{{"outrider_spool_max_bytes", gauge,
                              "Limit of the spool's size, the setting spool.bytes_max.", ""},
                             value<&SpoolSnapshot::bytes_max>},
    MetricRow<SpoolSnapshot>{
        {"outrider_spool_database_bytes", gauge, "Size of the spool's database file.", ""},
        value<&SpoolSnapshot::database_bytes>},
    MetricRow<SpoolSnapshot>{
        {"outrider_spool_log_bytes", gauge, "Size of the spool's write-ahead log.", ""},
        value<&SpoolSnapshot::log_bytes>},
    MetricRow<SpoolSnapshot>{{"outrider_spool_free_page_bytes", gauge,
                              "Bytes in the database file that are free to be used again.", ""},
                             value<&SpoolSnapshot::free_page_bytes>},
    MetricRow<SpoolSnapshot>{
        {"outrider_spool_disk_free_bytes", gauge, "Free bytes on the spool's disk.", ""},
        value<&SpoolSnapshot::disk_free_bytes>},
    MetricRow<SpoolSnapshot>{{"outrider_spool_transactions_total", counter,
                              "Transactions that the storage thread wrote.", ""},
                             value<&SpoolSnapshot::transactions>},
    MetricRow<SpoolSnapshot>{{"outrider_spool_transaction_duration_seconds", histogram,
                              "Duration of a transaction, with its fsync.", ""},
                             value<&SpoolSnapshot::transaction_time>},
    MetricRow<SpoolSnapshot>{{"outrider_spool_failing", gauge,
                              "1 if the last transaction could not be written, else 0.", ""},
                             value<&SpoolSnapshot::is_failing>},
    MetricRow<SpoolSnapshot>{
        {"outrider_dead_letters", gauge, "Dead letters that the spool keeps.", ""},
        value<&SpoolSnapshot::dead_events>},
    MetricRow<SpoolSnapshot>{
        {"outrider_dead_letters_bytes", gauge, "Size of the dead letters.", ""},
        value<&SpoolSnapshot::dead_bytes>},
};

constexpr std::array destination_rows = {
    MetricRow<Destination>{
        {"outrider_destination_events_accepted_total", counter, "Events accepted.", ""},
        value<&Destination::ledger, &Ledger::accepted>},
    MetricRow<Destination>{{"outrider_destination_events_recovered_total", counter,
                            "Of the accepted events: those of an earlier run, and dead letters "
                            "that were put back.",
                            ""},
                           value<&Destination::ledger, &Ledger::recovered>},
    MetricRow<Destination>{
        {"outrider_destination_events_delivered_total", counter, "Events delivered.", ""},
        value<&Destination::ledger, &Ledger::delivered>},
    MetricRow<Destination>{
        {"outrider_destination_events_dropped_total", counter,
         "Events dropped, by reason. Those with reason sampled were meant to.", "reason"},
        dropped},
    MetricRow<Destination>{{"outrider_destination_events_dead_total", counter,
                            "Events that became dead letters, by reason.", "reason"},
                           dead},
    MetricRow<Destination>{{"outrider_destination_events_queued", gauge,
                            "Events in memory that wait for their first or next attempt.", ""},
                           value<&Destination::ledger, &Ledger::queued>},
    MetricRow<Destination>{{"outrider_destination_events_in_flight", gauge,
                            "Events in requests that have no outcome yet.", ""},
                           value<&Destination::ledger, &Ledger::in_flight>},
    MetricRow<Destination>{
        {"outrider_destination_events_spooled", gauge, "Events on disk and not in memory.", ""},
        value<&Destination::ledger, &Ledger::spooled>},
    MetricRow<Destination>{{"outrider_destination_events_scheduled", gauge,
                            "Events on disk whose time has not come.", ""},
                           value<&Destination::ledger, &Ledger::scheduled>},
    MetricRow<Destination>{{"outrider_destination_queue_bytes", gauge,
                            "Bytes in memory of the events that are queued and in flight.", ""},
                           value<&Destination::queue_bytes>},
    MetricRow<Destination>{
        {"outrider_destination_oldest_event_age_seconds", gauge,
         "Age of the oldest event in memory, those in flight included. 0 if there is none.", ""},
        oldest_age},
    MetricRow<Destination>{
        {"outrider_destination_lane_bytes", gauge, "Bytes of the destination in the spool.", ""},
        value<&Destination::lane_bytes>},
    MetricRow<Destination>{{"outrider_destination_time_to_loss_seconds", gauge,
                            "Time until events are lost at the arrival rate of the last minute, "
                            "604800 at most. The label names the limit that is reached first. No "
                            "line if nothing fills up.",
                            "limit"},
                           time_to_loss},
    MetricRow<Destination>{{"outrider_destination_breaker_state", gauge,
                            "State of the circuit breaker: 0 closed, 1 open, 2 half open.", ""},
                           state<&Destination::breaker>},
    MetricRow<Destination>{{"outrider_destination_breaker_openings_total", counter,
                            "Times that the circuit breaker opened.", ""},
                           value<&Destination::breaker_openings>},
    MetricRow<Destination>{{"outrider_destination_held", gauge,
                            "1 if the receiver refuses the credentials, else 0.", ""},
                           value<&Destination::is_held>},
    MetricRow<Destination>{{"outrider_destination_disabled", gauge,
                            "1 if the receiver says that it is gone, else 0.", ""},
                           value<&Destination::is_disabled>},
    MetricRow<Destination>{{"outrider_destination_paused", gauge,
                            "1 if an operator paused the destination, else 0.", ""},
                           [](const Destination& destination, MetricsWriter& out) {
                             out.add(destination.pause.has_value());
                           }},
    MetricRow<Destination>{
        {"outrider_destination_retry_after_seconds", gauge,
         "Rest of the wait that the receiver asked for. 0 if there is none.", ""},
        duration_or_0<&Destination::paused_for>},
    MetricRow<Destination>{{"outrider_destination_concurrency_limit", gauge,
                            "Requests that may be in flight at a time.", ""},
                           value<&Destination::concurrency_limit>},
    MetricRow<Destination>{
        {"outrider_destination_requests_in_flight", gauge, "Requests in flight.", ""},
        value<&Destination::requests_in_flight>},
    MetricRow<Destination>{{"outrider_destination_requests_total", counter,
                            "Requests and writes that ended, by the class of their final status. "
                            "none: there was none. A write that succeeded counts as 2xx.",
                            "class"},
                           requests},
    MetricRow<Destination>{{"outrider_destination_retries_total", counter,
                            "Attempts with batches that had failed before.", ""},
                           value<&Destination::retries>},
    MetricRow<Destination>{{"outrider_destination_request_duration_seconds", histogram,
                            "Duration of the requests that were answered, and of writes.", ""},
                           value<&Destination::request_time>},
    MetricRow<Destination>{
        {"outrider_destination_delivery_duration_seconds", histogram,
         "Time from acceptance to delivery, one observation for each event.", ""},
        value<&Destination::settle_time>},
};

constexpr std::array schedule_rows = {
    MetricRow<ScheduleSnapshot>{
        {"outrider_schedule_runs_total", counter, "Runs that were stored.", ""},
        value<&ScheduleSnapshot::runs>},
    MetricRow<ScheduleSnapshot>{
        {"outrider_schedule_missed_total", counter, "Runs that were left out.", ""},
        value<&ScheduleSnapshot::missed>},
    MetricRow<ScheduleSnapshot>{{"outrider_schedule_late_total", counter,
                                 "Runs that were stored more than a minute late.", ""},
                                value<&ScheduleSnapshot::late>},
    MetricRow<ScheduleSnapshot>{{"outrider_schedule_last_run_timestamp_seconds", gauge,
                                 "When the newest run that was stored was due, since 1970. No line "
                                 "before the first since the start.",
                                 ""},
                                value<&ScheduleSnapshot::last>},
    MetricRow<ScheduleSnapshot>{
        {"outrider_schedule_next_run_timestamp_seconds", gauge,
         "When the next run is due, since 1970. No line if there is none.", ""},
        value<&ScheduleSnapshot::next>},
};

constexpr std::array process_rows = {
    MetricRow<ProcessUsage>{
        {"process_cpu_seconds_total", counter, "User and kernel time of all threads.", ""},
        value<&ProcessUsage::cpu_time>},
    MetricRow<ProcessUsage>{
        {"process_resident_memory_bytes", gauge, "Memory in use, the resident set.", ""},
        value<&ProcessUsage::resident_memory_bytes>},
    MetricRow<ProcessUsage>{
        {"process_virtual_memory_bytes", gauge, "Size of the address space in use.", ""},
        value<&ProcessUsage::virtual_memory_bytes>},
    MetricRow<ProcessUsage>{{"process_open_fds", gauge, "Open descriptors.", ""},
                            value<&ProcessUsage::open_fds>},
    MetricRow<ProcessUsage>{{"process_max_fds", gauge, "Limit of open descriptors.", ""},
                            value<&ProcessUsage::max_fds>},
    MetricRow<ProcessUsage>{
        {"process_start_time_seconds", gauge, "When the process started, since 1970.", ""},
        value<&ProcessUsage::start_time>},
};

template <typename Item>
MetricGroup group(std::string_view title, std::string_view text, std::string_view item_label) {
  MetricGroup made{title, text, item_label, {}};
  for (const MetricRow<Item>& row : metric_rows<Item>()) made.metrics.push_back(row.head);
  return made;
}

}  // namespace

template <>
std::span<const MetricRow<MetricsAnswer>> metric_rows() {
  return answer_rows;
}
template <>
std::span<const MetricRow<Snapshot>> metric_rows() {
  return snapshot_rows;
}
template <>
std::span<const MetricRow<SpoolSnapshot>> metric_rows() {
  return spool_rows;
}
template <>
std::span<const MetricRow<DestinationSnapshot>> metric_rows() {
  return destination_rows;
}
template <>
std::span<const MetricRow<ScheduleSnapshot>> metric_rows() {
  return schedule_rows;
}
template <>
std::span<const MetricRow<ProcessUsage>> metric_rows() {
  return process_rows;
}

std::vector<MetricGroup> metric_groups() {
  return {
      group<MetricsAnswer>("The answer", "About the answer itself.", ""),
      group<Snapshot>("Sidecar and clients",
                      "About the process as a whole, its configuration and its clients.", ""),
      group<SpoolSnapshot>("Spool", "Only with a `[spool]`.", ""),
      group<DestinationSnapshot>("Destinations", "One set for each destination.", "destination"),
      group<ScheduleSnapshot>("Schedules", "One set for each schedule.", "schedule"),
      group<ProcessUsage>("Process",
                          "Read from the kernel at each request, also while the loop hangs.", ""),
  };
}

}  // namespace outrider::sidecar
