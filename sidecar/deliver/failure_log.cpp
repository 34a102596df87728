#include "sidecar/deliver/failure_log.hpp"

#include <algorithm>

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"

namespace outrider::sidecar {
namespace {

constexpr Duration reminder_interval = std::chrono::hours(1);
constexpr std::size_t detail_bytes_max = 256;

std::string_view name_of(DeadReason reason) {
  return dead_reasons[static_cast<std::size_t>(reason)].name;
}

std::string detail_of(const Completion& completion) {
  return without_secrets(printable(completion.detail, detail_bytes_max));
}

std::string status_of(const Completion& completion) {
  return completion.status == 0 ? "none" : std::to_string(completion.status);
}

}  // namespace

void FailureLog::failed(const Completion& completion, const Now& now) {
  if (state_ != State::up) return;
  if (!failed_limit_.take(now)) {
    ++failures_left_out_;
    return;
  }
  log_.warn("request failed; its events wait for another attempt",
            {{"destination", destination_},
             {"status", status_of(completion)},
             {"left_out", std::to_string(std::exchange(failures_left_out_, 0))},
             {completion.detail_field(), detail_of(completion)}});
}

void FailureLog::opened(const Completion& completion, std::uint64_t queued, const Now& now) {
  change(State::down, completion, queued, now);
}

void FailureLog::held(const Completion& completion, std::uint64_t queued, const Now& now) {
  change(State::held, completion, queued, now);
}

void FailureLog::change(State state, const Completion& completion, std::uint64_t queued,
                        const Now& now) {
  if (state == told_ && state == state_ && now.mono < next_reminder_) return;
  if (state != state_) ++changes_;
  state_ = state;
  status_ = status_of(completion);
  detail_field_ = completion.detail_field();
  detail_ = detail_of(completion);
  queued_ = queued;
  tell_state(now);
}

void FailureLog::recovered(Duration outage, const Now& now) {
  if (state_ == State::up) return;
  ++changes_;
  state_ = State::up;
  outage_ = outage;
  tell_state(now);
}

bool FailureLog::has_untold_state() const {
  return state_ != told_ || changes_ > 0;
}

void FailureLog::tell_state(const Now& now) {
  if (!state_limits_[static_cast<std::size_t>(state_)].take(now)) return;
  next_reminder_ = now.mono + reminder_interval;
  write_state();
}

/// The changes before this one that no line has told of are counted in it.
void FailureLog::write_state() {
  told_ = state_;
  const std::string left_out = std::to_string(changes_ > 0 ? changes_ - 1 : 0);
  changes_ = 0;
  if (state_ == State::up) {
    log_.info("destination recovered", {{"destination", destination_},
                                        {"failed_for", format_duration(outage_)},
                                        {"left_out", left_out}});
    return;
  }
  const bool is_held = state_ == State::held;
  log_.write(is_held ? LogLevel::error : LogLevel::warn,
             is_held ? "destination refuses our credentials; its events wait"
                     : "destination is down; its events wait until a probe succeeds",
             {{"destination", destination_},
              {"status", status_},
              {"queued", std::to_string(queued_)},
              {"left_out", left_out},
              {detail_field_, detail_}});
}

void FailureLog::gone(const Completion& completion, std::uint64_t queued) {
  log_.error("destination is gone; nothing more is sent to it",
             {{"destination", destination_},
              {"status", status_of(completion)},
              {"queued", std::to_string(queued)},
              {completion.detail_field(), detail_of(completion)}});
}

void FailureLog::buried(const Batch& batch, std::uint32_t events, DeadReason reason,
                        const Completion& completion, const Now& now) {
  Buried& row = untold(reason);
  row.events += events;
  row.status = completion.status;
  row.attempts = batch.attempts;
  row.batch_id = batch.id;
  row.detail_field = completion.detail_field();
  row.detail = detail_of(completion);
  tell_buried(reason, now);
}

void FailureLog::tell_buried(DeadReason reason, const Now& now) {
  if (untold(reason).events == 0) return;
  if (buried_limits_[static_cast<std::size_t>(reason)].take(now)) write_buried(reason);
}

void FailureLog::do_work(const Now& now) {
  if (has_untold_state()) tell_state(now);
  for (const DeadReasonRow& row : dead_reasons) tell_buried(row.reason, now);
}

MonoTime FailureLog::next_deadline() const {
  MonoTime deadline = never;
  if (has_untold_state()) deadline = state_limits_[static_cast<std::size_t>(state_)].next_line();
  for (std::size_t reason = 0; reason < buried_.size(); ++reason) {
    if (buried_[reason].events > 0)
      deadline = std::min(deadline, buried_limits_[reason].next_line());
  }
  return deadline;
}

void FailureLog::finish() {
  if (has_untold_state()) write_state();
  for (const DeadReasonRow& row : dead_reasons) {
    if (untold(row.reason).events > 0) write_buried(row.reason);
  }
}

void FailureLog::write_buried(DeadReason reason) {
  const Buried told = std::exchange(untold(reason), {});
  log_.error("dead letters", {{"destination", destination_},
                              {"reason", std::string(name_of(reason))},
                              {"events", std::to_string(told.events)},
                              {"status", std::to_string(told.status)},
                              {"attempts", std::to_string(told.attempts)},
                              {"batch_id", told.batch_id},
                              {told.detail_field, told.detail}});
}

}  // namespace outrider::sidecar
