#include "sidecar/schedule/recurrence.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/base/json_data.hpp"
#include "sidecar/base/time_text.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::seconds;

std::string id_of(const std::string& name, Instant due) {
  constexpr std::size_t bytes_to_seconds = 19;
  TimeText time;
  const std::string_view text = time.format(due.time_since_epoch().count(), 0);
  return name + "/" + std::string(text.substr(0, bytes_to_seconds)) + "Z";
}

std::uint64_t ns_of(Instant instant) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(instant.time_since_epoch()).count());
}

Instant instant_of(std::uint64_t time_ns) {
  constexpr std::uint64_t ns_per_s = 1'000'000'000;
  return Instant(seconds(time_ns / ns_per_s));
}

}  // namespace

Result<Recurrence::Schedule> Recurrence::make_schedule(const ScheduleConfig& config) {
  Result<CronExpression> expression = CronExpression::parse(config.cron);
  if (!expression.ok()) return expression.error();
  Result<TimeZone> zone = TimeZone::load(config.timezone);
  if (!zone.ok()) return zone.error();
  Result<std::string> data = json_to_msgpack(config.data);
  if (!data.ok()) return data.error();
  const auto ttl = std::chrono::floor<std::chrono::milliseconds>(config.ttl);
  return Schedule{config.name,
                  mark_of(config),
                  config.topic,
                  std::move(data.value()),
                  config.key,
                  config.priority,
                  static_cast<std::uint64_t>(ttl.count()),
                  config.missed,
                  config.missed == MissedRuns::all ? config.missed_max : 1,
                  expression.value(),
                  zone.value()};
}

Result<Recurrence> Recurrence::make(const std::vector<ScheduleConfig>& schedules) {
  Recurrence recurrence;
  for (const ScheduleConfig& config : schedules) {
    Result<Schedule> schedule = make_schedule(config);
    if (!schedule.ok()) return schedule.error().with_prefix("schedule " + config.name);
    recurrence.schedules_.push_back(std::move(schedule.value()));
  }
  if (!schedules.empty()) recurrence.next_deadline_ = MonoTime::min();
  return recurrence;
}

void Recurrence::Schedule::set_last(Instant instant) {
  last = instant;
  next = expression.next_after(instant, zone);
}

/// There are at least `count` runs, at least one, after `after` and not after `until`.
bool Recurrence::Schedule::has_runs(std::size_t count, Instant after, Instant until) const {
  std::optional<Instant> run = after;
  for (; count > 0; --count) {
    run = expression.next_after(*run, zone);
    if (!run || *run > until) return false;
  }
  return true;
}

/// Runs after `after` and before `before`; missed_count_max if there are more.
std::size_t Recurrence::Schedule::count_runs(Instant after, Instant before) const {
  std::size_t count = 0;
  for (auto run = expression.next_after(after, zone);
       run && *run < before && count < missed_count_max; run = expression.next_after(*run, zone)) {
    ++count;
  }
  return count;
}

/// All runs after `after` and not after `until`.
std::vector<Instant> Recurrence::Schedule::runs(Instant after, Instant until) const {
  std::vector<Instant> found;
  for (auto run = expression.next_after(after, zone); run && *run <= until;
       run = expression.next_after(*run, zone)) {
    found.push_back(*run);
  }
  return found;
}

/// The newest `count` runs after the last one; fewer if there are fewer.
std::vector<Instant> Recurrence::Schedule::newest_runs(std::size_t count, Instant until) const {
  Instant from = *last;
  if (has_runs(count + 1, from, until)) {
    // The latest moment that is followed by this many runs. A binary search: years of minutes may
    // have been missed, and expressions only look ahead.
    Instant too_late = until;
    while (too_late - from > seconds(1)) {
      const Instant middle = from + (too_late - from) / 2;
      if (has_runs(count, middle, until)) {
        from = middle;
      } else {
        too_late = middle;
      }
    }
  }
  return runs(from, until);
}

std::string Recurrence::mark_of(const ScheduleConfig& config) {
  return config.name + " " + config.cron + " " + config.timezone;
}

std::vector<std::string> Recurrence::marks() const {
  std::vector<std::string> marks;
  for (const Schedule& schedule : schedules_) marks.push_back(schedule.mark);
  return marks;
}

Recurrence::Schedule* Recurrence::find(std::string_view mark) {
  const auto found = std::ranges::find(schedules_, mark, &Schedule::mark);
  return found == schedules_.end() ? nullptr : &*found;
}

std::vector<Recurrence::State> Recurrence::states() const {
  std::vector<State> states;
  for (const Schedule& schedule : schedules_) {
    states.push_back({schedule.name, schedule.mark, schedule.next, schedule.missed_runs});
  }
  return states;
}

void Recurrence::look_again() {
  earliest_ = Instant::min();
  next_deadline_ = MonoTime::min();
}

bool Recurrence::restore(std::string_view mark, std::uint64_t last_ns) {
  Schedule* const schedule = find(mark);
  if (schedule == nullptr) return false;
  schedule->set_last(instant_of(last_ns));
  look_again();
  return true;
}

void Recurrence::adopt(Recurrence earlier) {
  for (Schedule& schedule : schedules_) {
    Schedule* const before = earlier.find(schedule.mark);
    if (before == nullptr) continue;
    schedule.last = before->last;
    schedule.next = before->next;
    schedule.handed_out = std::move(before->handed_out);
    schedule.held_until = before->held_until;
    schedule.is_to_be_held = before->is_to_be_held;
    schedule.is_refused = before->is_refused;
    schedule.refused_until = before->refused_until;
    schedule.waited_until = before->waited_until;
    schedule.is_said_ahead = before->is_said_ahead;
    schedule.missed_runs = before->missed_runs;
  }
  held_until_ = earlier.held_until_;
  if (!schedules_.empty()) look_again();
}

bool Recurrence::has(std::string_view mark) const {
  return std::ranges::find(schedules_, mark, &Schedule::mark) != schedules_.end();
}

void Recurrence::note_written(std::string_view mark, std::uint64_t due_ns) {
  Schedule* const schedule = find(mark);
  if (schedule == nullptr || std::erase(schedule->handed_out, due_ns) == 0) return;
  schedule->is_refused = false;
  look_again();
}

bool Recurrence::note_unwritten(std::string_view mark, std::uint64_t due_ns) {
  Schedule* const schedule = find(mark);
  if (schedule == nullptr || std::erase(schedule->handed_out, due_ns) == 0) return false;
  // The oldest of those that were not written wins.
  const Instant before = instant_of(due_ns) - seconds(1);
  if (before < *schedule->last) schedule->set_last(before);
  schedule->refused_until =
      std::max(schedule->refused_until.value_or(Instant::min()), instant_of(due_ns));
  schedule->is_to_be_held = true;
  look_again();
  return !std::exchange(schedule->is_refused, true);
}

std::vector<Recurrence::Ahead> Recurrence::find_ahead(const Now& now) {
  std::vector<Ahead> ahead;
  const Instant limit = std::chrono::floor<seconds>(now.wall) + ahead_max;
  for (Schedule& schedule : schedules_) {
    const bool is_ahead = schedule.last && *schedule.last > limit;
    if (is_ahead && !schedule.is_said_ahead) {
      ahead.push_back({schedule.name, schedule.zone.text(*schedule.last)});
    }
    schedule.is_said_ahead = is_ahead;
  }
  return ahead;
}

void Recurrence::take_runs(std::size_t index, Instant now) {
  Schedule& schedule = schedules_[index];
  // Those that were refused were not missed: they come again as they were, and the others after.
  const auto refused_until = std::exchange(schedule.refused_until, std::nullopt);
  const std::vector<Instant> runs =
      refused_until ? schedule.runs(*schedule.last, std::min(*refused_until, now))
                    : schedule.newest_runs(schedule.missed_max, now);
  if (runs.empty()) return;
  if (!refused_until && schedule.missed == MissedRuns::all && *schedule.next < runs.front()) {
    left_out_.push_back(
        {schedule.name, schedule.zone.text(*schedule.last), schedule.zone.text(runs.front())});
  }
  if (*schedule.next < runs.front()) {
    schedule.missed_runs += schedule.count_runs(*schedule.last, runs.front());
  }
  schedule.set_last(runs.back());
  if (refused_until) schedule.waited_until = now;
  const bool is_late = now - runs.back() >= on_time && runs.back() > schedule.waited_until;
  if (schedule.missed == MissedRuns::skip && is_late) {
    schedule.missed_runs += runs.size();
    return;
  }
  for (const Instant run : runs) {
    runs_.push_back({index, schedule.name, schedule.mark, ns_of(run), id_of(schedule.name, run)});
    schedule.handed_out.push_back(ns_of(run));
  }
}

const std::vector<Recurrence::Run>& Recurrence::due(const Now& now) {
  runs_.clear();
  left_out_.clear();
  if (schedules_.empty()) return runs_;
  const Instant now_s = std::chrono::floor<seconds>(now.wall);
  if (now_s >= earliest_ || now.mono >= held_until_) {
    earliest_ = Instant::max();
    held_until_ = never;
    for (std::size_t i = 0; i < schedules_.size(); ++i) {
      Schedule& schedule = schedules_[i];
      if (!schedule.last) schedule.set_last(now_s);
      if (std::exchange(schedule.is_to_be_held, false)) schedule.held_until = now.mono + hold;
      const auto is_due = [&] { return schedule.next && *schedule.next <= now_s; };
      const bool is_free = schedule.handed_out.empty() && schedule.held_until <= now.mono;
      if (is_due() && is_free && runs_.size() < runs_max) take_runs(i, now_s);
      if (is_due() && schedule.held_until > now.mono) {
        held_until_ = std::min(held_until_, schedule.held_until);
      } else if (schedule.next && (!is_due() || schedule.handed_out.empty())) {
        earliest_ = std::min(earliest_, *schedule.next);
      }
    }
  }
  const Duration wait =
      earliest_ > now_s + look_max ? Duration(look_max) : WallTime(earliest_) - now.wall;
  next_deadline_ = std::min(now.mono + std::max(wait, Duration::zero()), held_until_);
  return runs_;
}

proto::EventView Recurrence::event_of(const Run& run) const {
  const Schedule& schedule = schedules_[run.schedule];
  proto::EventView event;
  event.topic = schedule.topic;
  event.time_ns = run.due_ns;
  event.data = proto::as_bytes(schedule.data);
  event.attributes.id = proto::as_bytes(run.id);
  event.attributes.id_is_text = true;
  event.attributes.key = schedule.key;
  event.attributes.ttl_ms = schedule.ttl_ms;
  event.attributes.priority = schedule.priority;
  return event;
}

}  // namespace outrider::sidecar
