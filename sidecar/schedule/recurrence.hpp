// Recurrence: which runs of the configured schedules are due, and the events that they are.
//
// Used by App, which writes each run's event to the spool together with the run's time as the new
// last run of its schedule, in one transaction: so each run happens once, also over crashes. On the
// start it gives back the last runs by restore(). A schedule without one begins with the time of
// the first due(); to have runs count as missed from then on, write that time down as its last.
//
// Time: dates are the wall clock's, waiting is the monotonic clock's, and at most `look_max` long,
// so that a wall clock that jumps is noticed within that time, and by every earlier due().
// - Forward (or the machine slept, or nobody called): what was passed over is due at once. A run
//   that is seen within the minute behind its time is on time; for what is older, `missed` decides.
// - Back: nothing at or before the last run comes again. Runs go on where the clock was before.
//
// Thread: one. Reads no clock, does no I/O once it is made. Work of a call: nothing to speak of
// while nothing is due; below a millisecond a run; at most `runs_max` runs, and what one schedule
// makes up for, a call, the rest with the next.
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

  /// One event to be made.
  struct Run {
    std::size_t schedule = 0;  ///< its place in the configuration
    std::string name;
    std::uint64_t due_ns = 0;  ///< since the Unix epoch, a whole second
    std::string id;            ///< NAME/2026-01-31T12:00:00Z
  };

  /// Nothing is scheduled.
  Recurrence() = default;

  /// Fails with: an Error that names the schedule, if the configuration has not been checked.
  static Result<Recurrence> make(const std::vector<ScheduleConfig>& schedules);

  /// The last run of a schedule; names that are not configured (any more) are left alone.
  /// Also takes runs back: restore(run.name, run.due_ns - 1) has that run, and those behind it,
  /// handed out again.
  void restore(std::string_view name, std::uint64_t last_ns);

  /// The runs that are due, each handed out once, the oldest of a schedule first. Valid until the
  /// next call.
  const std::vector<Run>& due(const Now& now);

  /// When to call due() again.
  MonoTime next_deadline() const { return next_deadline_; }

  /// The run as an event. Points into `run` and into this object.
  proto::EventView event_of(const Run& run) const;

 private:
  struct Schedule {
    std::string name;
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
    std::optional<Instant> next{};  ///< the first run behind `last`, if there is one

    void set_last(Instant instant);
    bool has_runs(std::size_t count, Instant after, Instant until) const;
    std::vector<Instant> newest_runs(std::size_t count, Instant until) const;
  };

  static Result<Schedule> make_schedule(const ScheduleConfig& config);
  void take_runs(std::size_t index, Instant now);

  std::vector<Schedule> schedules_;
  std::vector<Run> runs_;
  Instant earliest_ = Instant::min();  ///< before it nothing is due
  MonoTime next_deadline_ = never;
};

}  // namespace outrider::sidecar
