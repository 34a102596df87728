#include "sidecar/deliver/settler.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

/// A peer that takes nothing more just now is offered the rest after this time.
constexpr Duration congestion_delay = std::chrono::milliseconds(10);
/// Of an answer that is kept with a dead letter.
constexpr std::size_t answer_bytes_max = 512;

/// For the log: why an answer that says yes is none.
Completion unreadable(const Completion& completion) {
  Completion told = completion;
  told.is_detail_ours = completion.is_cut;
  told.detail = completion.is_cut
                    ? "the answer for each event is incomplete"
                    : "the answer for each event cannot be read: " + completion.detail;
  return told;
}

/// Of a single event that the receiver does not take: a status that the configuration takes for 413
/// says nothing of the size.
DeadReason reason_of(int status) {
  return status == 413 ? DeadReason::too_large : DeadReason::refused;
}

}  // namespace

void Settler::use(const DestinationConfig& config, const AnswerReader* reader) {
  status_actions_ = config.status_actions;
  retry_age_max_ = config.retry_age_max;
  retry_attempts_max_ = config.retry_attempts_max;
  reader_ = reader;
}

void Settler::begin_anew(const Now& now) {
  other_way_up_to_ = pacer_.last_attempt();
  last_taken_.clear();
  backlog_.make_all_due(now);
  // The events in its lane are for the next run.
  if (lane_ == nullptr) is_disabled_ = false;
}

void Settler::settle(BatchPtr batch, const Completion& completion, const Now& now) {
  batch->way = completion.way;
  if (read_verdicts(*batch, completion)) {
    settle_each(std::move(batch), completion, now);
  } else {
    settle_whole(std::move(batch), completion, now);
  }
  // The followers of a batch share its fate if the destination is gone.
  if (is_disabled_) leave_queue(now);
}

/// In verdicts_, one for each event; false if the completion speaks of the batch as a whole.
bool Settler::read_verdicts(const Batch& batch, const Completion& completion) {
  verdicts_ = completion.verdicts;
  if (!verdicts_.empty()) return verdicts_.size() == batch.events;
  if (reader_ == nullptr || completion.result != AttemptResult::answered || completion.is_cut) {
    return false;
  }
  statuses_.clear();
  const bool is_understood =
      reader_->read(completion.status, completion.answer, batch.events, statuses_);
  if (!is_understood || statuses_.size() != batch.events) return false;
  for (const int status : statuses_) verdicts_.push_back({EventFate::answered, status});
  return true;
}

/// Each event has its own outcome; those to be tried again stay in the batch.
void Settler::settle_each(BatchPtr batch, const Completion& completion, const Now& now) {
  std::uint32_t taken = 0;
  std::uint32_t lost = 0;
  std::uint32_t untried = 0;
  std::array<std::uint32_t, dead_reasons.size()> dead{};
  bool is_hold = false;
  const std::uint32_t settled = batch->remove_if([&](std::uint32_t i, const RecordView& record) {
    const auto [fate, status] = verdicts_[i];
    Outcome outcome = Outcome::delivered;
    if (fate == EventFate::answered) {
      outcome = proved(outcome_of(status, status_actions_), status, *batch);
    }
    is_hold = is_hold || outcome == Outcome::hold;
    if (fate == EventFate::untried) ++untried;
    if (fate == EventFate::untried || outcome == Outcome::retry || outcome == Outcome::hold) {
      return false;
    }
    if (fate == EventFate::lost) {
      ++lost;
    } else if (outcome == Outcome::delivered) {
      ++taken;
    } else {
      const DeadReason reason = reason_of(status);
      ++dead[static_cast<std::size_t>(reason)];
      keep_dead(record, reason, status, *batch, completion, now);
    }
    backlog_.release(record);
    return true;
  });
  ledger_.delivered += taken;
  if (taken > 0) meter_.settle_time.add(now.mono - batch->arrived, taken);
  ledger_.drop(DropReason::subscriber_full, lost);
  for (std::size_t i = 0; i < dead.size(); ++i) {
    if (dead[i] > 0) count_dead(*batch, dead[i], static_cast<DeadReason>(i), completion, now);
  }
  // No event was settled by its verdict: for breaker and pace the request has failed as a whole.
  if (settled == 0 && untried == 0) {
    failed(std::move(batch), is_hold ? Outcome::hold : Outcome::retry, completion, now);
    return;
  }
  if (settled > 0) answered(*batch, taken + lost > 0, now);
  if (batch->events == 0) {
    backlog_.finish(std::move(batch), now);
  } else if (untried == batch->events) {
    batch->forget_attempts();
    backlog_.wait_until(now.mono + congestion_delay, std::move(batch));
  } else {
    if (is_hold) batch->forget_attempts();
    backlog_.give_id(*batch, now);
    const Duration delay = pacer_.retry_delay(batch->attempts);
    retry_or_give_up(std::move(batch), delay, completion, now);
  }
}

void Settler::settle_whole(BatchPtr batch, const Completion& completion, const Now& now) {
  Outcome outcome = proved(outcome_of(completion, status_actions_), completion.status, *batch);
  if (outcome == Outcome::disable && completion.id <= other_way_up_to_) outcome = Outcome::retry;
  if (outcome == Outcome::delivered && reader_ != nullptr) {
    // Some events of it may have been refused; so all go again.
    failed(std::move(batch), Outcome::retry, unreadable(completion), now);
    return;
  }
  // It was in flight when another answer said that the destination is gone.
  if (is_disabled_ && outcome != Outcome::delivered) {
    bury(std::move(batch), DeadReason::gone, completion, now);
    return;
  }
  if (outcome == Outcome::retry || outcome == Outcome::hold) {
    failed(std::move(batch), outcome, completion, now);
    return;
  }
  // Whatever the answer was, there was one: the destination is up.
  const bool is_unsendable = completion.result == AttemptResult::unsendable;
  if (!is_unsendable) answered(*batch, outcome == Outcome::delivered, now);
  switch (outcome) {
    case Outcome::delivered:
      ledger_.delivered += batch->events;
      meter_.settle_time.add(now.mono - batch->arrived, batch->events);
      backlog_.finish(std::move(batch), now);
      break;
    case Outcome::split:
      split(std::move(batch), completion, now);
      break;
    case Outcome::disable:
      disable(std::move(batch), completion, now);
      break;
    default:
      bury(std::move(batch), is_unsendable ? DeadReason::unsendable : DeadReason::refused,
           completion, now);
  }
}

/// A split by an action needs a proof that the receiver is well.
Outcome Settler::proved(Outcome outcome, int status, const Batch& batch) const {
  return outcome == Outcome::split && !others_succeed(batch) ? unproved_split(status) : outcome;
}

/// Another request has succeeded, on the way that this batch took, that began after the batch had
/// failed: ids of attempts grow, and failed_after is the newest at that time. So it is not the
/// receiver.
bool Settler::others_succeed(const Batch& batch) const {
  const auto last = last_taken_.find(batch.way);
  return batch.failed_after != 0 && last != last_taken_.end() && last->second > batch.failed_after;
}

/// `is_taken`: it took events of the batch.
void Settler::answered(const Batch& batch, bool is_taken, const Now& now) {
  std::optional<Duration> latency;
  if (is_taken && batch.attempt_id > other_way_up_to_) {
    latency = now.mono - batch.started_at;
    AttemptId& last = last_taken_[batch.way];
    last = std::max(last, batch.attempt_id);
  }
  const auto outage = pacer_.answered(batch.attempt_id, latency, now);
  if (!outage) return;
  failures_.recovered(*outage, now);
  backlog_.make_all_due(now);
  if (std::exchange(is_held_, false)) backlog_.forget_attempts();
}

// Another attempt ---------------------------------------------------------------------------------

void Settler::failed(BatchPtr batch, Outcome outcome, const Completion& completion,
                     const Now& now) {
  meter_.note_failure(completion);
  if (completion.id <= other_way_up_to_) {
    --batch->attempts;
    backlog_.wait_until(now.mono, std::move(batch));
    return;
  }
  // One of several urls is a matter of that url, and going to another is no attempt of its own.
  const bool is_hold = outcome == Outcome::hold && !completion.has_alternative;
  if (completion.has_alternative) --batch->attempts;
  const Duration delay = pacer_.failed(
      {completion.id, batch->attempts, completion.retry_after, is_hold, completion.has_alternative},
      now);
  const std::uint64_t waiting = ledger_.queued + batch->events;
  if (is_hold) {
    is_held_ = true;
    batch->failed_after = pacer_.last_attempt();
    failures_.held(completion, waiting, now);
    batch->forget_attempts();
    backlog_.wait_until(now.mono + delay, std::move(batch));
    return;
  }
  if (pacer_.is_open()) {
    failures_.opened(completion, waiting, now);
  } else {
    failures_.failed(completion, now);
  }
  retry_or_give_up(std::move(batch), delay, completion, now);
}

void Settler::retry_or_give_up(BatchPtr batch, Duration delay, const Completion& completion,
                               const Now& now) {
  bury_old(*batch, completion, now);
  if (batch->events == 0) {
    backlog_.finish(std::move(batch), now);
    return;
  }
  batch->failed_after = pacer_.last_attempt();
  const bool is_spent = retry_attempts_max_ != 0 && batch->attempts >= retry_attempts_max_;
  const bool is_old = batch->tried_for(now) >= retry_age_max_;
  if (is_stopping_ || (!is_spent && !is_old)) {
    backlog_.wait_until(now.mono + delay, std::move(batch));
  } else {
    bury(std::move(batch), is_spent ? DeadReason::attempts : DeadReason::age, completion, now);
  }
}

void Settler::split(BatchPtr batch, const Completion& completion, const Now& now) {
  if (batch->events > 1) {
    backlog_.split(std::move(batch), now);
  } else {
    bury(std::move(batch), reason_of(completion.status), completion, now);
  }
}

// Giving up ---------------------------------------------------------------------------------------

void Settler::disable(BatchPtr batch, const Completion& completion, const Now& now) {
  if (!is_disabled_) failures_.gone(completion, ledger_.queued + batch->events);
  is_disabled_ = true;
  bury(std::move(batch), DeadReason::gone, completion, now);
}

void Settler::bury(BatchPtr batch, DeadReason reason, const Completion& completion,
                   const Now& now) {
  count_dead(*batch, batch->events, reason, completion, now);
  batch->for_each([&](const RecordView& record) {
    keep_dead(record, reason, completion.status, *batch, completion, now);
  });
  backlog_.finish(std::move(batch), now);
}

/// Gives up events that have been on disk for too long, but only if they have already failed for a
/// while and the destination has received the failing attempt: after a long stop, an outage or a
/// wrong clock alone, or with one failure after it, nothing is given up.
void Settler::bury_old(Batch& batch, const Completion& completion, const Now& now) {
  const bool was_heard = completion.result == AttemptResult::answered;
  if (lane_ == nullptr || is_stopping_ || !was_heard || completion.has_alternative) return;
  const std::uint32_t old = batch.remove_if([&](std::uint32_t, const RecordView& record) {
    if (!lane_->is_too_old(record, batch.tried_for(now), now)) return false;
    keep_dead(record, DeadReason::age, completion.status, batch, completion, now);
    backlog_.release(record);
    return true;
  });
  if (old == 0) return;
  count_dead(batch, old, DeadReason::age, completion, now);
  if (batch.events > 0) backlog_.give_id(batch, now);
}

void Settler::bury_unsent(std::uint64_t events) {
  ledger_.bury(DeadReason::gone, events);
  failures_.count_buried(DeadReason::gone, events);
}

void Settler::count_dead(const Batch& batch, std::uint32_t events, DeadReason reason,
                         const Completion& completion, const Now& now) {
  ledger_.bury(reason, events);
  meter_.note_failure(completion);
  failures_.buried(batch, events, reason, completion, now);
}

/// With a spool, dead letters are kept.
void Settler::keep_dead(const RecordView& record, DeadReason reason, int status, const Batch& batch,
                        const Completion& completion, const Now& now) {
  if (lane_ == nullptr) return;
  lane_->bury(record,
              {reason, status, batch.attempts, now.wall - batch.tried_for(now),
               without_secrets(printable(completion.detail, answer_bytes_max))},
              now);
}

/// A destination that is gone keeps its events on disk, for a run with another configuration.
void Settler::leave_queue(const Now& now) {
  if (lane_ != nullptr) {
    backlog_.put_back({}, now);
  } else {
    bury_unsent(backlog_.clear());
  }
}

}  // namespace outrider::sidecar
