// Recurrence: the runs of the configured schedules that are due, and their events.
//
// Used by ScheduleRunner, which writes each run's event to the spool together with the run's time
// as the new last run of its schedule, in one transaction: so each run happens once, even if the
// process crashes. It reports for each run that due() returned whether it was written. Until then
// the schedule returns no other run; a run that was not written is returned again after `hold`. At
// the start it restores the last runs with restore(). A schedule without a last run begins at the
// time of the first due(); store that time as its last run, so that later runs count as missed.
//
// A last run is stored under the schedule's name, expression and zone: if any of these changes, it
// is another schedule, which has missed nothing.
//
// Time: dates are the wall clock's, waiting is the monotonic clock's, and at most `look_max` long,
// so that a jump of the wall clock is noticed within that time, and by every earlier due().
// - Forward (or the machine slept, or nobody called): skipped runs are due at once. A run that is
//   seen within a minute of its time is on time; for older ones, `missed` decides.
// - Back: no run at or before the last one is repeated. Runs continue when the clock reaches its
//   old time.
//
// Thread: one. Reads no clock, does no I/O once it is made. Cost: negligible while nothing is due;
// less than a millisecond for each run; at most `runs_max` runs in a call, plus those that one
// schedule makes up for. The rest follow in the next call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/event.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/schedule_config.hpp"
#include "sidecar/cron/cron_expression.hpp"
#include "sidecar/cron/time_zone.hpp"

namespace outrider::sidecar {

class Recurrence {
 public:
  static constexpr std::chrono::seconds look_max{10};
  static constexpr std::chrono::seconds on_time{60};
  static constexpr std::size_t runs_max = 100;
  static constexpr std::chrono::seconds hold{10};
  /// A last run that is further ahead than this was written by a wrong clock.
  static constexpr std::chrono::hours ahead_max{1};
  /// Runs of one gap that are counted as left out; there may be more.
  static constexpr std::size_t missed_count_max = 1000;

  /// One event to be made.
  struct Run {
    std::size_t schedule = 0;  ///< its place in the configuration
    std::string name;
    std::string mark;          ///< the key under which its time is stored
    std::uint64_t due_ns = 0;  ///< since the Unix epoch, a whole second
    std::string id;            ///< NAME/2026-01-31T12:00:00Z
  };

  /// Nothing is scheduled.
  Recurrence() = default;

  /// Fails with: an Error that names the schedule, if the configuration has not been checked.
  static Result<Recurrence> make(const std::vector<ScheduleConfig>& schedules);

  /// The key under which each schedule's last run is stored, in the order of the configuration.
  std::vector<std::string> marks() const;
  static std::string mark_of(const ScheduleConfig& config);

  /// The last run of a schedule. False: the mark is of none that is configured (any more).
  bool restore(std::string_view mark, std::uint64_t last_ns);

  /// Goes on with the schedules of an earlier configuration that are in this one unchanged.
  void adopt(Recurrence earlier);
  bool has(std::string_view mark) const;

  /// A run that was handed out is written.
  void note_written(std::string_view mark, std::uint64_t due_ns);
  /// It is not, nor are later ones; all are returned again, before any that has become due since.
  /// True if the one before it was written.
  bool note_unwritten(std::string_view mark, std::uint64_t due_ns);

  /// Schedules whose last run is ahead of the clock by more than ahead_max, each returned once
  /// until that changes: none of their runs is due until then.
  struct Ahead {
    std::string name;
    std::string until;
  };
  std::vector<Ahead> find_ahead(const Now& now);

  /// The runs that are due, each handed out once, the oldest of a schedule first. Valid until the
  /// next call.
  const std::vector<Run>& due(const Now& now);

  /// Runs that due() has skipped because more were missed than missed_max, if all are to be made up
  /// for: those after `after` and before `before`. Valid until the next call.
  struct LeftOut {
    std::string name;
    std::string after;
    std::string before;
  };
  const std::vector<LeftOut>& left_out() const { return left_out_; }

  /// The state of each schedule, in the order of the configuration.
  struct State {
    std::string name;
    std::string mark;
    std::optional<Instant> next;  ///< the first run that has not been handed out
    std::uint64_t missed = 0;     ///< runs that were left out
  };
  std::vector<State> states() const;

  /// When to call due() again.
  MonoTime next_deadline() const { return next_deadline_; }

  /// The run as an event. Points into `run` and into this object.
  proto::EventView event_of(const Run& run) const;

 private:
  struct Schedule {
    std::string name;
    std::string mark;
    std::string topic;
    std::string data;  ///< msgpack
    std::string key;
    proto::Priority priority;
    std::uint64_t ttl_ms;
    MissedRuns missed;
    std::size_t missed_max;
    CronExpression expression;
    TimeZone zone;
    std::optional<Instant> last{};
    std::optional<Instant> next{};            ///< the first run after `last`, if there is one
    std::vector<std::uint64_t> handed_out{};  ///< runs without a report yet
    MonoTime held_until{};
    bool is_to_be_held = false;
    bool is_refused = false;                 ///< the last run was not written
    std::optional<Instant> refused_until{};  ///< the newest that is to be handed out again
    Instant waited_until = Instant::min();   ///< runs up to then waited for those that were refused
    bool is_said_ahead = false;
    std::uint64_t missed_runs = 0;

    std::size_t count_runs(Instant after, Instant before) const;
    void set_last(Instant instant);
    bool has_runs(std::size_t count, Instant after, Instant until) const;
    std::vector<Instant> runs(Instant after, Instant until) const;
    std::vector<Instant> newest_runs(std::size_t count, Instant until) const;
  };

  static Result<Schedule> make_schedule(const ScheduleConfig& config);
  void take_runs(std::size_t index, Instant now);
  Schedule* find(std::string_view mark);
  void look_again();

  std::vector<Schedule> schedules_;
  std::vector<Run> runs_;
  std::vector<LeftOut> left_out_;
  Instant earliest_ = Instant::min();  ///< before it nothing is due
  MonoTime held_until_ = never;        ///< until then nothing that is held is due
  MonoTime next_deadline_ = never;
};

}  // namespace outrider::sidecar
