// Snapshot: the state of a running sidecar at one moment, as plain values.
//
// The loop fills one when somebody asks (App::take_snapshot) and publishes it on the SnapshotBoard.
// Used by the admin server, the metrics and the commands that talk to a running sidecar. Counters
// count since the process began and never fall. A value that is not known is empty, not 0.
// Thread: immutable once published. Owns: copies of everything; it refers to nothing.
// Limits: some 1 KiB a destination; text is cut and free of secrets before it comes here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/refusal.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/ledger.hpp"
#include "sidecar/observe/duration_histogram.hpp"

namespace outrider::sidecar {

enum class LifePhase : std::uint8_t { starting, running, stopping, stopped };

/// Whether a destination may send.
enum class BreakerState : std::uint8_t { closed, open, half_open };

/// Answers by the first digit of their status; `none`: there was no answer. Files and ZeroMQ peers
/// do not answer: a request that they took is a success.
enum class StatusClass : std::uint8_t { none, informational, success, redirect, client, server };
inline constexpr std::size_t status_classes = 6;

/// Which of a destination's limits is reached first at the rate of the last minute.
enum class LossLimit : std::uint8_t {
  queue_events,
  queue_bytes,
  lane_bytes,   ///< the destination's share of the spool
  spool_bytes,  ///< the spool's own limit
  disk_free,    ///< free_bytes_min
};

struct TimeToLoss {
  Duration left{};  ///< 7 days at most
  LossLimit limit{};
};

struct UrlSnapshot {
  std::string url;  ///< scheme, host and port: what follows may be a secret
  bool is_healthy = true;
  bool is_gone = false;
};

/// Somebody asked that nothing be sent.
struct PauseSnapshot {
  WallTime since{};
  std::optional<WallTime> until;
  std::string who;
};

struct DestinationSnapshot {
  std::string name;
  std::string type;  ///< as in the configuration
  Ledger ledger;     ///< what was sent and is still in this process is in flight

  BreakerState breaker = BreakerState::closed;
  std::optional<Duration> open_for;  ///< since the breaker opened
  std::uint64_t breaker_openings = 0;
  bool is_held = false;                ///< credentials are refused
  bool is_disabled = false;            ///< the receiver says that it is gone
  bool is_removed = false;             ///< by a reload; its events leave, or have left
  std::optional<Duration> paused_for;  ///< what is left of Retry-After
  std::optional<PauseSnapshot> pause;  ///< by an operator
  std::string last_failure;            ///< of the last failed attempt: its status or cause, cut
  std::string last_answer;             ///< to it, in the words of the receiver, cut

  std::uint64_t concurrency_limit = 0;
  std::uint64_t requests_in_flight = 0;
  std::uint64_t retries = 0;                             ///< attempts of batches that had failed
  std::array<std::uint64_t, status_classes> requests{};  ///< that ended, by StatusClass
  DurationHistogram request_time;                        ///< of attempts that had an answer
  DurationHistogram settle_time;                         ///< from acceptance to delivery, by event

  std::uint64_t queue_bytes = 0;  ///< in memory, in flight included
  std::uint64_t queue_events_max = 0;
  std::uint64_t queue_bytes_max = 0;
  std::optional<Duration> oldest_age;  ///< of what is in memory, in flight included
  std::uint64_t lane_bytes = 0;        ///< on disk; 0 without a spool
  std::uint64_t lane_bytes_max = 0;
  double arrival_rate_per_s = 0;           ///< events that sampling keeps, of the last minute
  double lane_growth_bytes_per_s = 0;      ///< as time_to_loss.hpp has it
  std::optional<TimeToLoss> time_to_loss;  ///< empty: nothing arrives, or nothing fills up

  std::vector<UrlSnapshot> urls;
};

struct IngestSnapshot {
  std::uint64_t frames = 0;
  std::uint64_t events = 0;  ///< accepted
  std::uint64_t frames_refused = 0;
  std::uint64_t events_refused = 0;
  std::array<std::uint64_t, 256> refused{};  ///< by proto::Refusal
  std::uint64_t frames_confirmed = 0;
  std::uint64_t events_confirmed = 0;
  std::uint64_t frames_missing = 0;  ///< numbered by clients, never received
  std::uint64_t unrouted = 0;
  std::vector<std::pair<std::string, std::uint64_t>> client_drops;  ///< by reason, said by clients
  std::uint64_t clients = 0;                                        ///< known by their ids
  std::uint64_t connections = 0;                                    ///< open just now
  std::uint64_t connections_refused = 0;                            ///< for want of descriptors
  std::uint64_t connections_cut_off = 0;                            ///< for what they sent
};

struct ScheduleSnapshot {
  std::string name;
  std::optional<WallTime> last;  ///< that was stored in this run of the sidecar
  std::optional<WallTime> next;
  std::uint64_t runs = 0;    ///< stored
  std::uint64_t missed = 0;  ///< left out; of a long gap, missed_count_max at most
  std::uint64_t late = 0;    ///< stored more than a minute after their time
};

struct SpoolSnapshot {
  std::uint64_t bytes = 0;  ///< database and log
  std::uint64_t bytes_max = 0;
  std::uint64_t database_bytes = 0;
  std::uint64_t log_bytes = 0;
  std::uint64_t free_page_bytes = 0;
  std::uint64_t disk_free_bytes = 0;
  std::uint64_t dead_events = 0;
  std::uint64_t dead_bytes = 0;
  std::uint64_t transactions = 0;
  DurationHistogram transaction_time;  ///< with its fsync
  bool is_failing = false;             ///< the last transaction was not written
};

struct LoopSnapshot {
  std::uint64_t turns = 0;
  Duration busy{};          ///< all turns together, without the sleep between them
  Duration longest_turn{};  ///< of the last minute
};

struct ConfigSnapshot {
  std::string file;
  std::string hash;  ///< of what was read, hexadecimal
  std::uint64_t generation = 1;
  WallTime loaded_at{};
  bool is_last_reload_good = true;
};

struct Snapshot {
  std::uint64_t number = 0;  ///< grows by 1
  MonoTime taken_at{};
  WallTime taken_at_wall{};
  std::string boot_id;  ///< of this run; a new one after each start
  WallTime started_at{};
  LifePhase phase = LifePhase::starting;
  std::string version;
  std::uint64_t log_lines_dropped = 0;

  IngestSnapshot ingest;
  std::vector<DestinationSnapshot> destinations;
  std::vector<ScheduleSnapshot> schedules;
  std::optional<SpoolSnapshot> spool;
  LoopSnapshot loop;
  ConfigSnapshot config;
};

/// "closed", "open", "half_open"; and so on.
std::string_view name_of(LifePhase phase);
std::string_view name_of(BreakerState state);
std::string_view name_of(StatusClass status_class);  ///< "none", "1xx" ... "5xx"
std::string_view name_of(LossLimit limit);

}  // namespace outrider::sidecar
