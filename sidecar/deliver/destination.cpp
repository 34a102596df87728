#include "sidecar/deliver/destination.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"

namespace outrider::sidecar {
namespace {

constexpr Duration dead_log_interval = std::chrono::seconds(10);
constexpr Duration failure_log_interval = std::chrono::seconds(10);
/// A peer that takes nothing more just now is offered the rest after this time.
constexpr Duration congestion_delay = std::chrono::milliseconds(10);
constexpr std::size_t detail_bytes_max = 256;

std::string id_text(const RecordView& record) {
  if (record.id_is_text) return std::string(proto::as_text(record.id));
  std::string text(uuid_text_bytes, '\0');
  write_uuid_text(record.id, text.data());
  return text;
}

std::string detail_of(const Completion& completion) {
  return printable(completion.detail, detail_bytes_max);
}

}  // namespace

Destination::Destination(const DestinationConfig& config, std::unique_ptr<Encoder> encoder,
                         std::unique_ptr<Transport> transport, Log& log, std::uint64_t seed)
    : name_(config.name),
      policy_{config.when_full,   config.batch_events_max, config.batch_bytes_max,
              config.batch_delay, config.retry_age_max,    config.retry_attempts_max},
      encoder_(std::move(encoder)),
      transport_(std::move(transport)),
      log_(log),
      pacer_({config.retry_initial, config.retry_max}, config.concurrency_max, seed),
      batch_ids_(~seed),
      queue_({config.queue_events_max, config.queue_bytes_max}) {}

void Destination::accept(proto::ByteView record, const Now& now) {
  ++ledger_.accepted;
  if (is_disabled_) {
    ++ledger_.dead;
    return;
  }
  if (policy_.when_full == WhenFull::drop_oldest) {
    // Nothing is given up for an event that would not fit even then.
    const bool can_fit = queue_.could_fit(record.size());
    while (can_fit && !queue_.has_room(record.size())) {
      queue_.pop();
      --ledger_.queued;
      ledger_.drop(DropReason::evicted, 1);
    }
  }
  if (!queue_.has_room(record.size())) {
    ledger_.drop(DropReason::queue_full, 1);
    return;
  }
  if (queue_.is_empty()) gathering_since_ = now.mono;
  queue_.push(record);
  ++ledger_.queued;
}

int Destination::do_work(const Now& now) {
  completions_.clear();
  transport_->collect(now, completions_);
  for (const Completion& completion : completions_) settle(completion, now);
  int work = static_cast<int>(completions_.size());
  while (!is_disabled_ && pacer_.may_start(in_flight_.size(), now)) {
    BatchPtr batch = next_batch(now);
    if (!batch) break;
    start(std::move(batch), now);
    ++work;
  }
  return work;
}

// Sending -----------------------------------------------------------------------------------------

bool Destination::has_batch_to_form(const Now& now) const {
  if (queue_.is_empty()) return false;
  return in_flight_.empty() || is_flushing_ || queue_.events() >= policy_.batch_events_max ||
         queue_.bytes() >= policy_.batch_bytes_max ||
         now.mono >= gathering_since_ + policy_.batch_delay;
}

Destination::BatchPtr Destination::next_batch(const Now& now) {
  if (BatchPtr due = take_due_batch(now)) return due;
  return has_batch_to_form(now) ? form_batch(now) : nullptr;
}

Destination::BatchPtr Destination::take_due_batch(const Now& now) {
  while (!waiting_.empty() && waiting_.begin()->first <= now.mono) {
    BatchPtr batch = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    remove_expired(*batch, now);
    if (batch->events == 0) {
      recycle(std::move(batch));
      continue;
    }
    encoder_->begin(batch->body);
    batch->for_each([&](const RecordView& record) { encoder_->add(record, batch->body); });
    encoder_->end(batch->body);
    return batch;
  }
  return nullptr;
}

bool Destination::is_expired(const RecordView& record, const Now& now) const {
  return record.expires_at_ns != 0 && record.expires_at_ns <= now.wall_ns();
}

void Destination::remove_expired(Batch& batch, const Now& now) {
  std::vector<std::uint8_t> kept;
  std::uint32_t expired = 0;
  batch.for_each([&](const RecordView& record) { expired += is_expired(record, now) ? 1 : 0; });
  if (expired == 0) return;
  batch.for_each([&](const RecordView& record) {
    if (!is_expired(record, now)) {
      kept.insert(kept.end(), record.bytes.begin(), record.bytes.end());
    }
  });
  queue_.release(expired, batch.records.size() - kept.size());
  ledger_.queued -= expired;
  ledger_.drop(DropReason::expired, expired);
  batch.events -= expired;
  batch.records = std::move(kept);
  if (batch.events > 0) give_id(batch, now);  // what is sent is not what was sent before
}

/// Encodes while it takes, so that batch_bytes_max bounds the body itself. Null if all that was
/// queued had expired.
Destination::BatchPtr Destination::form_batch(const Now& now) {
  BatchPtr batch = spare_ ? std::move(spare_) : std::make_unique<Batch>();
  encoder_->begin(batch->body);
  while (!queue_.is_empty() && batch->events < policy_.batch_events_max) {
    const RecordView record = read_record(queue_.front().data());
    if (is_expired(record, now)) {
      queue_.pop();
      --ledger_.queued;
      ledger_.drop(DropReason::expired, 1);
      continue;
    }
    encoder_->add(record, batch->body);
    if (batch->events > 0 && batch->body.bytes.size() > policy_.batch_bytes_max) {
      batch->body.take_back();
      break;
    }
    batch->records.insert(batch->records.end(), record.bytes.begin(), record.bytes.end());
    ++batch->events;
    queue_.take();
  }
  gathering_since_ = now.mono;
  if (batch->events == 0) {
    recycle(std::move(batch));
    return nullptr;
  }
  encoder_->end(batch->body);
  give_id(*batch, now);
  return batch;
}

void Destination::give_id(Batch& batch, const Now& now) {
  if (batch.events == 1) {
    batch.id = id_text(read_record(batch.records.data()));
  } else {
    batch.id.resize(uuid_text_bytes);
    write_uuid_text(batch_ids_.next(now.wall_ns()), batch.id.data());
  }
}

void Destination::start(BatchPtr batch, const Now& now) {
  if (batch->first_attempt_at == MonoTime{}) batch->first_attempt_at = now.mono;
  ++batch->attempts;
  batch->attempt_id = pacer_.begin_attempt();
  batch->topics.clear();
  batch->for_each([&](const RecordView& record) { batch->topics.push_back(record.topic); });
  ledger_.queued -= batch->events;
  ledger_.in_flight += batch->events;

  Attempt attempt;
  attempt.id = batch->attempt_id;
  attempt.body = batch->body.bytes;
  attempt.event_ends = &batch->body.event_ends;
  attempt.topics = &batch->topics;
  attempt.batch_id = batch->id;
  in_flight_.push_back(std::move(batch));
  transport_->start(attempt, now);
}

// Settling ----------------------------------------------------------------------------------------

void Destination::settle(const Completion& completion, const Now& now) {
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(), [&](const BatchPtr& batch) {
    return batch->attempt_id == completion.id;
  });
  if (found == in_flight_.end()) return;
  BatchPtr batch = std::move(*found);
  in_flight_.erase(found);
  ledger_.in_flight -= batch->events;
  if (completion.result == AttemptResult::sent_some) {
    sent_some(std::move(batch), completion, now);
  } else {
    settle_answer(std::move(batch), completion, now);
  }
}

void Destination::settle_answer(BatchPtr batch, const Completion& completion, const Now& now) {
  const Outcome outcome = outcome_of(completion.result, completion.status);
  if (is_disabled_ && outcome != Outcome::delivered) {
    bury(*batch, "gone", completion, now);
    recycle(std::move(batch));
    return;
  }
  if (outcome == Outcome::retry || outcome == Outcome::hold) {
    failed(std::move(batch), outcome, completion, now);
    return;
  }
  answered(completion.id, now);
  switch (outcome) {
    case Outcome::retry:
    case Outcome::hold:
      break;
    case Outcome::delivered:
      delivered(std::move(batch), completion.events_lost);
      return;
    case Outcome::split:
      if (batch->events > 1) {
        split(std::move(batch), now);
        return;
      }
      bury(*batch, "too_large", completion, now);
      break;
    case Outcome::disable:
      disable(std::move(batch), completion, now);
      return;
    case Outcome::dead:
      bury(*batch, "refused", completion, now);
      break;
  }
  recycle(std::move(batch));
}

/// Whatever the answer was, there was one: the destination is up.
void Destination::answered(AttemptId attempt, const Now& now) {
  const auto recovery = pacer_.answered(attempt, now);
  if (!recovery) return;
  if (std::exchange(told_failure_, std::nullopt)) {
    log_.info("destination recovered",
              {{"destination", name_}, {"failed_for", format_duration(recovery->failed_for)}});
  }
  // One failure among answers may be the fault of its batch, which keeps its own pace.
  if (recovery->failures > 1) make_all_due(now);
}

void Destination::make_all_due(const Now& now) {
  std::multimap<MonoTime, BatchPtr> due;
  for (auto& [later, batch] : waiting_) due.emplace(now.mono, std::move(batch));
  waiting_ = std::move(due);
}

void Destination::delivered(BatchPtr batch, std::uint32_t lost) {
  ledger_.delivered += batch->events - lost;
  ledger_.drop(DropReason::subscriber_full, lost);
  settled(*batch);
  recycle(std::move(batch));
}

/// The front of the batch is done, the rest waits until the peer takes more.
void Destination::sent_some(BatchPtr batch, const Completion& completion, const Now& now) {
  std::size_t done_bytes = 0;
  for (std::uint32_t i = 0; i < completion.events_sent; ++i) {
    done_bytes += record_bytes_at(batch->records.data() + done_bytes);
  }
  ledger_.delivered += completion.events_sent - completion.events_lost;
  ledger_.drop(DropReason::subscriber_full, completion.events_lost);
  queue_.release(completion.events_sent, done_bytes);
  batch->records.erase(batch->records.begin(),
                       batch->records.begin() + static_cast<std::ptrdiff_t>(done_bytes));
  batch->events -= completion.events_sent;
  batch->attempts = 0;
  batch->first_attempt_at = {};
  if (completion.events_sent > 0) answered(completion.id, now);
  if (batch->events == 0) {
    recycle(std::move(batch));
    return;
  }
  wait_until(now.mono + congestion_delay, std::move(batch));
}

void Destination::failed(BatchPtr batch, Outcome outcome, const Completion& completion,
                         const Now& now) {
  tell_failure(outcome, completion, now);
  const Duration delay = pacer_.failed(completion.id, batch->attempts, completion.retry_after, now);
  const bool may_give_up = outcome == Outcome::retry;
  if (!may_give_up) {
    // Held time counts towards no limit: only a person can end it.
    batch->attempts = 0;
    batch->first_attempt_at = {};
  }
  if (may_give_up && policy_.retry_attempts_max != 0 &&
      batch->attempts >= policy_.retry_attempts_max) {
    bury(*batch, "attempts", completion, now);
    recycle(std::move(batch));
  } else if (may_give_up && now.mono - batch->first_attempt_at >= policy_.retry_age_max) {
    bury(*batch, "age", completion, now);
    recycle(std::move(batch));
  } else {
    wait_until(now.mono + delay, std::move(batch));
  }
}

/// Once an outage, and not for each of many short ones; refused credentials need a person, always.
void Destination::tell_failure(Outcome outcome, const Completion& completion, const Now& now) {
  const bool is_hold = outcome == Outcome::hold;
  if (told_failure_ == outcome) return;
  if (!is_hold && (told_failure_ || now.mono < next_failure_log_)) return;
  told_failure_ = outcome;
  next_failure_log_ = now.mono + failure_log_interval;
  log_.write(is_hold ? LogLevel::error : LogLevel::warn,
             is_hold ? "destination refuses our credentials; its events are held"
                     : "destination fails; its events are kept and tried again",
             {{"destination", name_},
              {"status", std::to_string(completion.status)},
              {"detail", detail_of(completion)}});
}

void Destination::split(BatchPtr batch, const Now& now) {
  BatchPtr second = std::make_unique<Batch>();
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < batch->events / 2; ++i) {
    at += record_bytes_at(batch->records.data() + at);
  }
  const auto middle = batch->records.begin() + static_cast<std::ptrdiff_t>(at);
  second->records.assign(middle, batch->records.end());
  second->events = batch->events - batch->events / 2;
  batch->records.erase(middle, batch->records.end());
  batch->events /= 2;
  for (Batch* half : {batch.get(), second.get()}) {
    half->first_attempt_at = batch->first_attempt_at;
    half->attempts = 0;
    give_id(*half, now);
  }
  wait_until(now.mono, std::move(batch));
  wait_until(now.mono, std::move(second));
}

void Destination::disable(BatchPtr batch, const Completion& completion, const Now& now) {
  if (!is_disabled_) {
    log_.error("destination is gone (410); nothing more is sent to it",
               {{"destination", name_}, {"detail", detail_of(completion)}});
  }
  is_disabled_ = true;
  bury(*batch, "gone", completion, now);
  recycle(std::move(batch));
  for (auto& [due, waiting] : waiting_) {
    ledger_.queued -= waiting->events;
    bury(*waiting, "gone", completion, now);
  }
  waiting_.clear();
  ledger_.queued -= queue_.events();
  ledger_.dead += queue_.events();
  while (!queue_.is_empty()) queue_.pop();
}

/// Counts the batch as dead letters. The log gets a line now and then, not one a batch.
void Destination::bury(const Batch& batch, std::string_view reason, const Completion& completion,
                       const Now& now) {
  ledger_.dead += batch.events;
  dead_untold_ += batch.events;
  settled(batch);
  if (now.mono < next_dead_log_) return;
  log_.error("dead letters", {{"destination", name_},
                              {"reason", std::string(reason)},
                              {"events", std::to_string(dead_untold_)},
                              {"status", std::to_string(completion.status)},
                              {"attempts", std::to_string(batch.attempts)},
                              {"first_id", id_text(read_record(batch.records.data()))},
                              {"detail", detail_of(completion)}});
  dead_untold_ = 0;
  next_dead_log_ = now.mono + dead_log_interval;
}

void Destination::wait_until(MonoTime due, BatchPtr batch) {
  ledger_.queued += batch->events;
  batch->body = {};
  waiting_.emplace(due, std::move(batch));
}

void Destination::settled(const Batch& batch) {
  queue_.release(batch.events, batch.records.size());
}

void Destination::recycle(BatchPtr batch) {
  batch->records.clear();
  batch->events = 0;
  batch->attempts = 0;
  batch->first_attempt_at = {};
  spare_ = std::move(batch);
}

// Time and shutdown -------------------------------------------------------------------------------

MonoTime Destination::next_deadline() const {
  MonoTime deadline = transport_->next_deadline();
  if (is_disabled_) return deadline;
  if (!pacer_.has_place(in_flight_.size())) return deadline;
  MonoTime start_at = waiting_.empty() ? never : waiting_.begin()->first;
  if (!queue_.is_empty()) {
    start_at = std::min(
        start_at, in_flight_.empty() ? gathering_since_ : gathering_since_ + policy_.batch_delay);
  }
  if (start_at == never) return deadline;
  return std::min(deadline, std::max(start_at, pacer_.paused_until()));
}

void Destination::begin_flush(const Now& now) {
  is_flushing_ = true;
  pacer_.hurry(now);
  make_all_due(now);
}

bool Destination::is_drained() const {
  return queue_.is_empty() && waiting_.empty() && in_flight_.empty();
}

void Destination::abandon(const Now& now) {
  completions_.clear();
  transport_->collect(now, completions_);
  for (const Completion& completion : completions_) settle(completion, now);
  for (const BatchPtr& batch : in_flight_) {
    transport_->cancel(batch->attempt_id);
    ledger_.drop(DropReason::linger, batch->events);
    settled(*batch);
  }
  for (const auto& [due, batch] : waiting_) {
    ledger_.drop(DropReason::linger, batch->events);
    settled(*batch);
  }
  ledger_.drop(DropReason::linger, queue_.events());
  while (!queue_.is_empty()) queue_.pop();
  in_flight_.clear();
  waiting_.clear();
  ledger_.in_flight = 0;
  ledger_.queued = 0;
}

}  // namespace outrider::sidecar
