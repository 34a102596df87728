// DeadJobs: reads dead letters, and retries or drops many of them, beside the running sidecar.
//
// Used by the admin interface. It has a thread of its own, "dead letters", made for the first
// question, with SQLite connections of its own: as a command that runs beside the sidecar, it never
// touches the loop; and it keeps out of the spool while the storage thread opens
// or repairs it. A page is read in one short transaction, so that no reader keeps the log from
// shrinking. A job first counts its letters and ends as `refused` if they are not as many as
// expected; then it changes letters_at_once of them in a transaction, and pauses, so that the
// storage thread gets its turn. It remembers nothing on disk: the letters of a job that a stop cuts
// off are dead letters still.
//
// A retried letter follows the other events of its destination, whose rate, breaker and pause
// hold for it. The first letters of a job go at once; for more a job waits (`paced`) while the
// destination has more than lane_events_max events or lane_bytes on disk.
//
// Thread: safe from any thread; made and destroyed by one. Owns: its thread; if that hangs in a
// system call at the end, it is abandoned after end_wait_max. Borrows: the log.
// Fails with: an Error that says what to do; that of a job is in the job.
// Limits: reads_max reads and jobs_active_max jobs at a time; the last jobs_known_max jobs are
// remembered, with their keys.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/helper_thread.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/inspect/dead_letters.hpp"
#include "sidecar/spool/spool_gate.hpp"

namespace outrider::sidecar {

enum class DeadAction : std::uint8_t { retry, drop };
std::string_view name_of(DeadAction action);

struct DeadRequest {
  DeadAction action = DeadAction::retry;
  DeadFilter filter;  ///< with the highest id
  std::uint64_t expected = 0;
  std::string key;  ///< the same one again is the same job; empty: none
  std::string who;  ///< for the log
};

enum class DeadJobState : std::uint8_t {
  counting,
  running,
  paced,
  done,
  cancelled,
  refused,
  failed
};
std::string_view name_of(DeadJobState state);

struct DeadJob {
  std::uint64_t id = 0;
  DeadAction action = DeadAction::retry;
  std::string target;  ///< the filter or the ids, as text
  std::string who;
  std::string key;
  DeadJobState state = DeadJobState::counting;
  std::uint64_t expected = 0;
  std::uint64_t counted = 0;
  std::uint64_t changed = 0;  ///< committed
  std::uint64_t gone = 0;     ///< somebody else was faster
  WallTime asked_at{};
  WallTime ended_at{};
  std::string error;

  bool has_ended() const { return state >= DeadJobState::done; }
};

/// The answer to a question for a page.
struct DeadList {
  DeadPage page;
  std::optional<std::uint64_t> total{};  ///< if it was asked for and found in time
  /// There is no destination of the name in the filter.
  std::optional<Error> unknown{};
};

/// False: it is not there any more.
bool change_dead(Store& store, DeadAction action, std::int64_t id, const Now& now);

/// The limits of one transaction, here and in a command without a sidecar.
inline constexpr std::size_t letters_at_once = 256;
inline constexpr std::uint64_t letter_bytes_at_once = 8ULL << 20U;
inline constexpr Duration pause_between_letters = std::chrono::milliseconds(10);

class DeadJobs {
 public:
  static constexpr std::uint64_t rows_at_once = 10'000;
  static constexpr Duration read_time_max = std::chrono::milliseconds(25);
  static constexpr std::size_t reads_max = 16;
  static constexpr std::size_t jobs_active_max = 16;
  static constexpr std::size_t jobs_known_max = 64;
  static constexpr std::uint64_t lane_events_max = 4096;
  static constexpr std::uint64_t lane_bytes_max = 64ULL << 20U;
  static constexpr Duration pace_interval = std::chrono::milliseconds(100);
  static constexpr std::chrono::milliseconds end_wait_max{1000};

  struct Settings {
    std::string path;
    /// Of a destination on disk, for which a job waits; lane_bytes_max at most.
    std::uint64_t lane_bytes = lane_bytes_max;
    std::shared_ptr<SpoolGate> gate;
  };

  DeadJobs(Settings settings, Log& log);
  ~DeadJobs();
  DeadJobs(const DeadJobs&) = delete;
  DeadJobs& operator=(const DeadJobs&) = delete;

  // Reading: an Error in place of the future if there are too many already.
  using ListAnswer = Result<DeadList>;
  using LetterAnswer = Result<std::optional<DeadWhole>>;
  /// The newest first, and no more than rows_at_once or read_time_max allow.
  Result<std::future<ListAnswer>> list(DeadFilter filter, std::size_t letters_max, bool counts);
  Result<std::future<LetterAnswer>> read(std::int64_t id);

  // Jobs
  /// The id of the job; of an earlier one with the same key. Error: there are too many, or the key
  /// was that of another request.
  Result<std::uint64_t> ask(DeadRequest request);
  /// There are too many for another one.
  bool is_full() const;
  std::optional<DeadJob> job(std::uint64_t id) const;
  /// The same once it has ended, after `patience` at the latest.
  std::optional<DeadJob> wait_for(std::uint64_t id, Duration patience) const;
  /// The newest last.
  std::vector<DeadJob> jobs() const;
  /// It ends before its next letters. False: there is none, or it has ended.
  bool cancel(std::uint64_t id);

 private:
  struct State;
  template <typename Answer>
  Result<std::future<Answer>> post(std::function<Answer()> read);
  bool start();

  const std::shared_ptr<State> state_;
  HelperThread thread_;
  bool is_started_ = false;
};

}  // namespace outrider::sidecar
