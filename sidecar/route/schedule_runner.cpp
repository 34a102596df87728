#include "sidecar/route/schedule_runner.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

namespace {

/// A mark begins with the name, which has no blanks.
std::string name_of_mark(std::string_view mark) {
  return std::string(mark.substr(0, mark.find(' ')));
}

}  // namespace

ScheduleRunner::ScheduleRunner(Recurrence recurrence, const std::vector<ScheduleMark>& marks,
                               Spool& spool, Dispatcher& dispatcher, Log& log)
    : spool_(spool),
      dispatcher_(dispatcher),
      log_(log),
      recurrence_(std::move(recurrence)),
      new_schedules_(recurrence_.marks()) {
  for (const ScheduleMark& mark : marks) {
    std::erase(new_schedules_, mark.name);
    // Another expression or zone: the stored mark belongs to another schedule.
    if (!recurrence_.restore(mark.name, mark.last_ns)) unwritten_marks_.push_back({mark.name, 0});
  }
}

void ScheduleRunner::replace(Recurrence recurrence) {
  for (const Recurrence::State& state : recurrence_.states()) {
    if (recurrence.has(state.mark)) continue;
    missed_before_[state.name] += state.missed;
    std::erase_if(unwritten_marks_, [&](const auto& mark) { return mark.name == state.mark; });
    std::erase(new_schedules_, state.mark);
    unwritten_marks_.push_back({state.mark, 0});
  }
  for (const std::string& mark : recurrence.marks()) {
    if (recurrence_.has(mark)) continue;
    std::erase_if(unwritten_marks_, [&](const auto& waiting) { return waiting.name == mark; });
    new_schedules_.push_back(mark);
  }
  recurrence.adopt(std::exchange(recurrence_, {}));
  recurrence_ = std::move(recurrence);
}

void ScheduleRunner::do_work(const Now& now) {
  write_marks(now);
  run_due(now);
  warn_of_wrong_clock(now);
}

/// From its first day on a schedule knows its missed runs; one that was changed or removed has no
/// mark.
void ScheduleRunner::write_marks(const Now& now) {
  for (std::string& mark : std::exchange(new_schedules_, {})) {
    recurrence_.restore(mark, now.wall_ns());
    unwritten_marks_.push_back({std::move(mark), now.wall_ns()});
  }
  if (unwritten_marks_.empty() || now.mono < marks_due_at_) return;
  marks_due_at_ = now.mono + Recurrence::hold;
  for (ScheduleMark& mark : std::exchange(unwritten_marks_, {})) spool_.add_mark(std::move(mark));
}

void ScheduleRunner::run_due(const Now& now) {
  proto::Refusal refusal = proto::Refusal::none;
  std::string_view mark;
  for (const Recurrence::Run& run : recurrence_.due(now)) {
    // Later ones wait for one without room.
    if (refusal == proto::Refusal::none || run.mark != mark) refusal = add_run(run, now);
    mark = run.mark;
    if (refusal != proto::Refusal::none) keep_run(run.mark, run.due_ns, refusal);
  }
  for (const auto& [name, after, before] : recurrence_.left_out()) {
    log_.warn("a schedule has missed more runs than missed_max; the oldest are skipped",
              {{"schedule", name}, {"after", after}, {"before", before}});
  }
}

proto::Refusal ScheduleRunner::add_run(const Recurrence::Run& run, const Now& now) {
  const proto::EventView event = recurrence_.event_of(run);
  const RecordContext context{{}, {}, now};
  std::vector<std::uint8_t> bytes(record_bytes(event, context));
  write_record(event, context, bytes.data());
  return dispatcher_.add_run(event.topic, read_record(bytes.data()), {run.mark, run.due_ns}, now);
}

void ScheduleRunner::warn_of_wrong_clock(const Now& now) {
  if (now.mono < look_ahead_at_) return;
  look_ahead_at_ = now.mono + Recurrence::look_max;
  for (const auto& [name, until] : recurrence_.find_ahead(now)) {
    log_.warn("the last run of a schedule is ahead of the clock; it makes no events until then",
              {{"schedule", name}, {"until", until}});
  }
}

void ScheduleRunner::note_answer(const ConfirmedFrame& frame, const FrameAnswer& answer,
                                 const Now& now) {
  const ScheduleMark& mark = *frame.mark;
  if (answer.status == proto::Refusal::none) {
    // A newer mark than one that waits.
    std::erase_if(unwritten_marks_, [&](const auto& waiting) { return waiting.name == mark.name; });
    recurrence_.note_written(mark.name, mark.last_ns);
    if (frame.counts.events > 0) {
      constexpr auto on_time_ns =
          static_cast<std::uint64_t>(std::chrono::nanoseconds(Recurrence::on_time).count());
      Stored& stored = stored_[name_of_mark(mark.name)];
      ++stored.runs;
      stored.late += now.wall_ns() > mark.last_ns + on_time_ns ? 1 : 0;
      stored.last_ns = mark.last_ns;
    }
  } else if (frame.counts.events == 0) {
    unwritten_marks_.push_back(mark);
  } else {
    keep_run(mark.name, mark.last_ns, answer.status);
  }
}

std::vector<ScheduleSnapshot> ScheduleRunner::snapshot() const {
  std::vector<ScheduleSnapshot> all;
  for (const Recurrence::State& state : recurrence_.states()) {
    ScheduleSnapshot it;
    it.name = state.name;
    if (state.next) it.next = WallTime(*state.next);
    it.missed = state.missed;
    if (const auto found = missed_before_.find(state.name); found != missed_before_.end()) {
      it.missed += found->second;
    }
    if (const auto found = stored_.find(state.name); found != stored_.end()) {
      const Stored& stored = found->second;
      it.runs = stored.runs;
      it.late = stored.late;
      it.last = WallTime(Duration(static_cast<Duration::rep>(stored.last_ns)));
    }
    all.push_back(std::move(it));
  }
  return all;
}

void ScheduleRunner::keep_run(std::string_view mark, std::uint64_t due_ns, proto::Refusal refusal) {
  if (!recurrence_.note_unwritten(mark, due_ns)) return;
  const bool is_full = refusal == proto::Refusal::destination_full;
  log_.warn("the run of a schedule cannot be stored; the sidecar keeps trying",
            {{"schedule", std::string(mark)},
             {"because", std::string(proto::describe(refusal).name)},
             {"destination", is_full ? std::string(dispatcher_.full_destination()) : ""}});
}

}  // namespace outrider::sidecar
