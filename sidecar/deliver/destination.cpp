#include "sidecar/deliver/destination.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

/// Batches that one turn makes at most, so that the others have their turn.
constexpr int batches_per_turn_max = 4;
/// A peer that takes nothing more just now is offered the rest after this time.
constexpr Duration congestion_delay = std::chrono::milliseconds(10);
/// A transport does not say when it has let go of what it holds.
constexpr Duration held_look_interval = std::chrono::milliseconds(5);
/// Of an answer that is kept with a dead letter.
constexpr std::size_t answer_bytes_max = 512;

/// FNV-1a and a final mix: ids of one millisecond differ in few bits only.
std::uint64_t hash_of(proto::ByteView id) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::uint8_t byte : id) hash = (hash ^ byte) * 0x100000001b3U;
  hash ^= hash >> 32U;
  hash *= 0xd6e8feb86659fd93U;
  return hash ^ (hash >> 32U);
}

std::uint64_t hash_limit(double share) {
  return share >= 1 ? 0 : static_cast<std::uint64_t>(std::ldexp(share, 64));
}

/// For the log: why an answer that says yes is none.
Completion unreadable(const Completion& completion) {
  Completion told = completion;
  told.detail = completion.is_cut
                    ? "the answer for each event did not come whole"
                    : "the answer for each event cannot be read: " + completion.detail;
  return told;
}

}  // namespace

Destination::Destination(const DestinationConfig& config, std::unique_ptr<Encoder> encoder,
                         std::unique_ptr<Transport> transport, Lane* lane, Log& log,
                         std::uint64_t seed)
    : name_(config.name),
      sample_below_(hash_limit(config.sample_rate)),
      status_actions_(config.status_actions),
      retry_age_max_(config.retry_age_max),
      retry_attempts_max_(config.retry_attempts_max),
      encoder_(std::move(encoder)),
      transport_(std::move(transport)),
      lane_(lane),
      failures_(config.name, log),
      drops_(config.name, log),
      stalls_(config, log),
      pacer_(config, seed),
      backlog_(config, *encoder_, lane, ledger_, ~seed) {
  if (lane_ != nullptr) lane_->attach(ledger_);
}

void Destination::accept(proto::ByteView record, const Now& now) {
  const RecordView view = read_record(record.data());
  if (!samples(view)) return;
  ++ledger_.accepted;
  if (!is_disabled_) {
    backlog_.accept(record, now);
  } else if (lane_ == nullptr || !lane_->append(view, now)) {
    bury_unsent(1);
  }
}

void Destination::schedule(proto::ByteView record, std::uint64_t due_ns, const Now& now) {
  const RecordView view = read_record(record.data());
  if (!samples(view)) return;
  ++ledger_.accepted;
  if (!lane_->schedule(view, due_ns, now)) ledger_.drop(DropReason::spool_full, 1);
}

bool Destination::is_sampled_out(const RecordView& record) const {
  return sample_below_ != 0 && hash_of(record.id) >= sample_below_;
}

bool Destination::samples(const RecordView& record) {
  if (!is_sampled_out(record)) return true;
  count_sampled_out(1);
  return false;
}

int Destination::do_work(const Now& now) {
  note_held_back(now);
  collect(now);
  int refilled = 0;
  if (!is_disabled_) refilled = static_cast<int>(backlog_.refill(now));
  int batches = 0;
  const bool may_send = !is_disabled_ && (lane_ == nullptr || !lane_->is_busy());
  for (; may_send && batches < batches_per_turn_max; ++batches) {
    bool is_retry = false;
    BatchPtr batch = next_batch(now, is_retry);
    if (!batch) break;
    if (batch->is_too_large) {
      bury(std::move(batch), DeadReason::too_large, {}, now);
    } else {
      start(std::move(batch), is_retry, now);
    }
  }
  failures_.do_work(now);
  drops_.look(ledger_, now);
  stalls_.do_work(ledger_.queued + ledger_.in_flight, now);
  if (is_flushing_) held_look_at_ = transport_->held() > 0 ? now.mono + held_look_interval : never;
  return batches + refilled + static_cast<int>(completions_.size());
}

// Sending -----------------------------------------------------------------------------------------

BatchPtr Destination::next_batch(const Now& now, bool& is_retry) {
  const MonoTime fresh_at = std::max(pacer_.may_start_at(in_flight_.size()),
                                     backlog_.fresh_due_at(in_flight_.empty() || is_flushing_));
  const MonoTime retry_at =
      std::max(pacer_.may_retry_at(in_flight_.size()), backlog_.retry_due_at());
  // In turns: neither starves the other.
  if (retry_at <= now.mono && (fresh_at > now.mono || !is_fresh_next_)) {
    is_fresh_next_ = true;
    if (BatchPtr batch = backlog_.take_retry(now)) {
      is_retry = batch->attempts > 0;
      return batch;
    }
  }
  if (fresh_at > now.mono) return nullptr;
  is_fresh_next_ = false;
  return backlog_.take_fresh(pacer_.batch_events_max(), now);
}

void Destination::start(BatchPtr batch, bool is_retry, const Now& now) {
  if (batch->first_attempt_at == MonoTime{}) batch->first_attempt_at = now.mono;
  ++batch->attempts;
  batch->attempt_id = pacer_.begin_attempt(is_retry, batch->events, batch->body.bytes.size(), now);
  batch->started_at = now.mono;
  batch->topics.clear();
  batch->for_each([&](const RecordView& record) { batch->topics.push_back(record.topic); });
  ledger_.in_flight += batch->events;

  Attempt attempt;
  attempt.id = batch->attempt_id;
  attempt.body = batch->body.bytes;
  attempt.event_ends = &batch->body.event_ends;
  attempt.topics = &batch->topics;
  attempt.batch_id = batch->id;
  attempt.headers = &batch->body.headers;
  attempt.wants_answer = encoder_->has_item_answers();
  if (encoder_->is_single()) attempt.event = read_record(batch->records.data());
  stalls_.started(in_flight_.empty(), now);
  in_flight_.push_back(std::move(batch));
  transport_->start(attempt, now);
}

/// The concurrency limit learns only while it is what stands between a batch that is due and its
/// request. Called before answers are looked at, as what was due until then was held back.
void Destination::note_held_back(const Now& now) {
  if (in_flight_.size() < pacer_.concurrency_limit()) return;
  const bool is_due =
      backlog_.fresh_due_at(is_flushing_) <= now.mono || backlog_.retry_due_at() <= now.mono;
  if (is_due) pacer_.note_held_back();
}

// Settling ----------------------------------------------------------------------------------------

void Destination::collect(const Now& now) {
  completions_.clear();
  transport_->collect(now, completions_);
  for (const Completion& completion : completions_) settle(completion, now);
}

void Destination::settle(const Completion& completion, const Now& now) {
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(), [&](const BatchPtr& batch) {
    return batch->attempt_id == completion.id;
  });
  if (found == in_flight_.end()) return;
  BatchPtr batch = std::move(*found);
  batch->way = completion.way;
  in_flight_.erase(found);
  stalls_.settled(in_flight_.empty(), now);
  ledger_.in_flight -= batch->events;
  if (completion.result == AttemptResult::sent_some) {
    sent_some(std::move(batch), completion, now);
  } else {
    settle_answer(std::move(batch), completion, now);
  }
  // What follows a batch of a destination that is gone shares its fate.
  if (is_disabled_) leave_queue(now);
}

void Destination::settle_answer(BatchPtr batch, const Completion& completion, const Now& now) {
  if (settle_items(batch, completion, now)) return;
  Outcome outcome = outcome_of(completion, status_actions_);
  if (outcome == Outcome::split && !others_succeed(*batch)) {
    outcome = unproved_split(completion.status);
  }
  if (outcome == Outcome::delivered && encoder_->has_item_answers()) {
    // Some events of it may have been refused; so all go again.
    failed(std::move(batch), Outcome::retry, unreadable(completion), now);
    return;
  }
  if (is_disabled_ && outcome != Outcome::delivered) {
    bury(std::move(batch), DeadReason::gone, completion, now);
    return;
  }
  if (outcome == Outcome::retry || outcome == Outcome::hold) {
    failed(std::move(batch), outcome, completion, now);
    return;
  }
  // Whatever the answer was, there was one: the destination is up.
  const bool is_taken = outcome == Outcome::delivered;
  if (completion.result != AttemptResult::unsendable) answered(*batch, is_taken, now);
  switch (outcome) {
    case Outcome::retry:
    case Outcome::hold:
      break;
    case Outcome::delivered:
      delivered(std::move(batch), completion.events_lost, now);
      break;
    case Outcome::split:
      if (batch->events > 1) {
        backlog_.split(std::move(batch), now);
      } else {
        // A status that the configuration takes for 413 says nothing of the size.
        const bool is_size = completion.status == 413;
        bury(std::move(batch), is_size ? DeadReason::too_large : DeadReason::refused, completion,
             now);
      }
      break;
    case Outcome::disable:
      disable(std::move(batch), completion, now);
      break;
    case Outcome::dead:
      bury(std::move(batch),
           completion.result == AttemptResult::unsendable ? DeadReason::unsendable
                                                          : DeadReason::refused,
           completion, now);
      break;
  }
}

/// Each event of a bulk answer follows its own status; what is to be tried again stays in `batch`.
/// False if the answer speaks of the batch as a whole.
bool Destination::settle_items(BatchPtr& batch, const Completion& completion, const Now& now) {
  if (completion.result != AttemptResult::answered || !encoder_->has_item_answers()) return false;
  if (completion.is_cut) return false;
  item_statuses_.clear();
  const bool is_understood =
      encoder_->read_items(completion.status, completion.answer, batch->events, item_statuses_);
  if (!is_understood || item_statuses_.size() != batch->events) return false;
  std::uint32_t refused = 0;
  std::uint32_t too_large = 0;
  std::uint32_t taken = 0;
  bool is_hold = false;
  const bool is_proved = others_succeed(*batch);
  const std::uint32_t settled =
      batch->remove_if([&](std::uint32_t index, const RecordView& record) {
        Outcome outcome = outcome_of(item_statuses_[index], status_actions_);
        if (outcome == Outcome::split && !is_proved) {
          outcome = unproved_split(item_statuses_[index]);
        }
        is_hold = is_hold || outcome == Outcome::hold;
        if (outcome == Outcome::retry || outcome == Outcome::hold) return false;
        if (outcome == Outcome::delivered) {
          ++taken;
        } else {
          const bool is_too_large = item_statuses_[index] == 413;
          ++(is_too_large ? too_large : refused);
          Completion item;
          item.status = item_statuses_[index];
          item.detail = completion.detail;
          keep_dead(record, is_too_large ? DeadReason::too_large : DeadReason::refused, *batch,
                    item, now);
        }
        backlog_.release(record);
        return true;
      });
  ledger_.delivered += taken;
  for (const auto& [reason, dead] :
       {std::pair{DeadReason::refused, refused}, std::pair{DeadReason::too_large, too_large}}) {
    if (dead == 0) continue;
    ledger_.bury(reason, dead);
    failures_.buried(*batch, dead, reason, completion, now);
  }
  if (batch->events == 0) {
    answered(*batch, taken > 0, now);
    backlog_.finish(std::move(batch), now);
  } else if (settled == 0) {
    failed(std::move(batch), is_hold ? Outcome::hold : Outcome::retry, completion, now);
  } else {
    answered(*batch, taken > 0, now);
    if (is_hold) batch->forget_attempts();
    backlog_.give_id(*batch, now);
    const Duration delay = pacer_.retry_delay(batch->attempts);
    retry_or_give_up(std::move(batch), delay, completion, now);
  }
  return true;
}

/// Another request has succeeded, on the way that this batch took, that began after the batch had
/// failed. So it is not the receiver.
bool Destination::others_succeed(const Batch& batch) const {
  const auto last = last_taken_.find(batch.way);
  return batch.failed_after != 0 && last != last_taken_.end() && last->second > batch.failed_after;
}

/// `is_taken`: it took events of the batch.
void Destination::answered(const Batch& batch, bool is_taken, const Now& now) {
  std::optional<Duration> latency;
  if (is_taken) {
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

void Destination::delivered(BatchPtr batch, std::uint32_t lost, const Now& now) {
  ledger_.delivered += batch->events - lost;
  ledger_.drop(DropReason::subscriber_full, lost);
  backlog_.finish(std::move(batch), now);
}

/// The front of the batch is done, the rest waits until the peer takes more.
void Destination::sent_some(BatchPtr batch, const Completion& completion, const Now& now) {
  if (completion.events_sent > 0) answered(*batch, true, now);
  ledger_.delivered += completion.events_sent - completion.events_lost;
  ledger_.drop(DropReason::subscriber_full, completion.events_lost);
  batch->remove_if([&](std::uint32_t index, const RecordView& record) {
    if (index >= completion.events_sent) return false;
    backlog_.release(record);
    return true;
  });
  if (batch->events == 0) {
    backlog_.finish(std::move(batch), now);
    return;
  }
  batch->forget_attempts();
  backlog_.wait_until(now.mono + congestion_delay, std::move(batch));
}

void Destination::failed(BatchPtr batch, Outcome outcome, const Completion& completion,
                         const Now& now) {
  // One of several urls is a matter of that url, and going to another is no attempt of its own.
  const bool is_hold = outcome == Outcome::hold && !completion.has_alternative;
  if (completion.has_alternative) --batch->attempts;
  const Duration delay = pacer_.failed(
      {completion.id, batch->attempts, completion.retry_after, is_hold, completion.has_alternative},
      now);
  if (is_hold) {
    is_held_ = true;
    batch->failed_after = pacer_.last_attempt();
    failures_.held(completion, ledger_.queued + batch->events, now);
    batch->forget_attempts();
    backlog_.wait_until(now.mono + delay, std::move(batch));
    return;
  }
  if (pacer_.is_open()) {
    failures_.opened(completion, ledger_.queued + batch->events, now);
  } else {
    failures_.failed(completion, now);
  }
  retry_or_give_up(std::move(batch), delay, completion, now);
}

/// What has stood on disk for too long and fails for a while already, when an attempt fails of
/// which the destination heard: for a long stop, an outage or a wrong clock by itself, or with one
/// failure after it, nothing is given up.
void Destination::bury_old(Batch& batch, const Completion& completion, const Now& now) {
  const bool was_heard = completion.result == AttemptResult::answered;
  if (lane_ == nullptr || is_stopping_ || !was_heard || completion.has_alternative) return;
  const std::uint32_t old = batch.remove_if([&](std::uint32_t, const RecordView& record) {
    if (!lane_->is_too_old(record, batch.tried_for(now), now)) return false;
    keep_dead(record, DeadReason::age, batch, completion, now);
    backlog_.release(record);
    return true;
  });
  if (old == 0) return;
  ledger_.bury(DeadReason::age, old);
  failures_.buried(batch, old, DeadReason::age, completion, now);
  if (batch.events > 0) backlog_.give_id(batch, now);
}

void Destination::retry_or_give_up(BatchPtr batch, Duration delay, const Completion& completion,
                                   const Now& now) {
  bury_old(*batch, completion, now);
  if (batch->events == 0) {
    backlog_.finish(std::move(batch), now);
    return;
  }
  batch->failed_after = pacer_.last_attempt();
  const bool is_spent = retry_attempts_max_ != 0 && batch->attempts >= retry_attempts_max_;
  const bool is_old = batch->tried_for(now) >= retry_age_max_;
  // What fails while the sidecar stops has not failed for ever.
  if (is_stopping_ || (!is_spent && !is_old)) {
    backlog_.wait_until(now.mono + delay, std::move(batch));
  } else {
    bury(std::move(batch), is_spent ? DeadReason::attempts : DeadReason::age, completion, now);
  }
}

void Destination::disable(BatchPtr batch, const Completion& completion, const Now& now) {
  if (!is_disabled_) failures_.gone(completion, ledger_.queued + batch->events);
  is_disabled_ = true;
  bury(std::move(batch), DeadReason::gone, completion, now);
}

void Destination::bury(BatchPtr batch, DeadReason reason, const Completion& completion,
                       const Now& now) {
  ledger_.bury(reason, batch->events);
  failures_.buried(*batch, batch->events, reason, completion, now);
  batch->for_each(
      [&](const RecordView& record) { keep_dead(record, reason, *batch, completion, now); });
  backlog_.finish(std::move(batch), now);
}

/// With a spool, dead letters are kept.
void Destination::keep_dead(const RecordView& record, DeadReason reason, const Batch& batch,
                            const Completion& completion, const Now& now) {
  if (lane_ == nullptr) return;
  lane_->bury(record,
              {reason, completion.status, batch.attempts, now.wall - batch.tried_for(now),
               without_secrets(printable(completion.detail, answer_bytes_max))},
              now);
}

/// A destination that is gone keeps what it has on disk, for a run with another configuration.
void Destination::leave_queue(const Now& now) {
  if (lane_ != nullptr) {
    backlog_.put_back({}, now);
  } else {
    bury_unsent(backlog_.clear());
  }
}

/// They were for a destination that is gone.
void Destination::bury_unsent(std::uint64_t events) {
  ledger_.bury(DeadReason::gone, events);
  failures_.count_buried(DeadReason::gone, events);
}

// Time and shutdown -------------------------------------------------------------------------------

MonoTime Destination::next_deadline() const {
  MonoTime deadline = std::min({transport_->next_deadline(), failures_.next_deadline(),
                                drops_.next_deadline(), stalls_.next_deadline(), held_look_at_});
  if (is_disabled_ || (lane_ != nullptr && lane_->is_busy())) return deadline;
  // Events that expired have made room since the last refill.
  if (backlog_.can_refill()) return MonoTime::min();
  const MonoTime start_at = pacer_.may_start_at(in_flight_.size());
  if (start_at == never) return deadline;
  const MonoTime fresh_at = backlog_.fresh_due_at(in_flight_.empty() || is_flushing_);
  if (fresh_at != never) deadline = std::min(deadline, std::max(start_at, fresh_at));
  const MonoTime retry_at = backlog_.retry_due_at();
  if (retry_at != never) {
    deadline = std::min(deadline, std::max(pacer_.may_retry_at(in_flight_.size()), retry_at));
  }
  return deadline;
}

void Destination::begin_flush(const Now& now) {
  is_flushing_ = true;
  held_look_at_ = transport_->held() > 0 ? now.mono : never;
  pacer_.hurry(now);
  backlog_.make_all_due(now);
}

void Destination::abandon(const Now& now) {
  transport_->hurry(now);
  collect(now);
  std::vector<BatchPtr> cut_off = std::exchange(in_flight_, {});
  for (const BatchPtr& batch : cut_off) {
    transport_->cancel(batch->attempt_id);
    ledger_.in_flight -= batch->events;
  }
  if (lane_ != nullptr) {
    backlog_.put_back(cut_off, now);
  } else {
    for (BatchPtr& batch : cut_off) {
      ledger_.drop(DropReason::linger, batch->events);
      backlog_.finish(std::move(batch), now);
    }
    ledger_.drop(DropReason::linger, backlog_.clear());
  }
  drop_held();
  failures_.finish();
  drops_.finish(ledger_);
}

/// They counted as delivered when they were handed over.
void Destination::drop_held() {
  const std::uint64_t held = std::min(transport_->held(), ledger_.delivered);
  ledger_.delivered -= held;
  ledger_.drop(DropReason::linger, held);
}

}  // namespace outrider::sidecar
