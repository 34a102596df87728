#include "sidecar/deliver/destination.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sidecar/base/units.hpp"

namespace outrider::sidecar {
namespace {

/// Batches that one turn makes at most, so that the others have their turn.
constexpr int batches_per_turn_max = 4;
/// A transport does not say when it has let go of what it holds.
constexpr Duration held_look_interval = std::chrono::milliseconds(5);

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

}  // namespace

Destination::Destination(const DestinationConfig& config, std::unique_ptr<Encoder> encoder,
                         std::unique_ptr<Transport> transport, Lane* lane, Log& log,
                         std::uint64_t seed, const Destination* earlier)
    : name_(config.name),
      log_(log),
      type_(config.type),
      goes_to_disk_(config.when_full == WhenFull::spool),
      sample_below_(hash_limit(config.sample_rate)),
      encoder_(std::move(encoder)),
      transport_(std::move(transport)),
      lane_(lane),
      failures_(config.name, log),
      drops_(config.name, log),
      pacer_(config, seed),
      pause_(config.name, log),
      backlog_(config, encoder_, lane, ledger_, ~seed),
      settler_(config, encoder_->answer_reader(), lane, backlog_, pacer_, failures_, meter_,
               ledger_) {
  if (earlier != nullptr) {
    ledger_ = earlier->ledger_;
    meter_ = earlier->meter_;
    told_delivered_ = earlier->told_delivered_;
    pacer_.add_openings(earlier->pacer_.openings());
    drops_.know(ledger_);
  }
  if (lane_ != nullptr) lane_->attach(ledger_);
}

void Destination::change(const DestinationConfig& config, std::shared_ptr<Encoder> encoder,
                         std::unique_ptr<Transport> transport, const Now& now) {
  goes_to_disk_ = config.when_full == WhenFull::spool;
  sample_below_ = hash_limit(config.sample_rate);
  if (encoder) encoder_ = std::move(encoder);
  backlog_.use(config, encoder_);
  settler_.use(config, encoder_->answer_reader());
  pacer_.use(config);
  if (lane_ != nullptr) lane_->use(lane_settings(config));
  if (transport) replace_transport(std::move(transport), now);
}

void Destination::probe(const Now& now) {
  if (type_ != DestinationType::http || !pacer_.is_open()) return;
  pacer_.probe(now);
  backlog_.make_all_due(now);
}

void Destination::replace_transport(std::unique_ptr<Transport> transport, const Now& now) {
  former_.push_back(std::exchange(transport_, std::move(transport)));
  in_former_ = in_flight_.size();
  end_former_transports(now);
  pacer_.begin_anew(now);
  settler_.begin_anew(now);
}

void Destination::end_former_transports(const Now& now) {
  std::erase_if(former_, [&](const std::unique_ptr<Transport>& former) {
    const bool is_used =
        former->held() > 0 || std::ranges::any_of(in_flight_, [&](const BatchPtr& batch) {
          return batch->transport == former.get();
        });
    if (!is_used) former->close(now.mono);
    return !is_used;
  });
}

std::uint64_t Destination::held() const {
  std::uint64_t held = transport_ ? transport_->held() : 0;
  for (const auto& former : former_) held += former->held();
  return held;
}

void Destination::close(MonoTime deadline) {
  transport_->close(deadline);
  for (const auto& former : former_) former->close(deadline);
}

void Destination::accept(proto::ByteView record, const Now& now) {
  const RecordView view = read_record(record.data());
  if (!samples(view)) return;
  ++ledger_.accepted;
  emitted_ += {1, record.size()};
  if (!settler_.is_disabled()) {
    backlog_.accept(record, now);
  } else if (lane_ == nullptr || !lane_->append(view, now)) {
    settler_.bury_unsent(1);
  }
}

void Destination::schedule(proto::ByteView record, std::uint64_t due_ns, const Now& now) {
  const RecordView view = read_record(record.data());
  if (!samples(view)) return;
  ++ledger_.accepted;
  emitted_ += {1, record.size()};
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
  if (has_left_) return 0;
  if (pause_.ends_at() <= now.mono) end_pause("its time is over", now);
  note_held_back(now);
  collect(now);
  if (ledger_.accepted != rated_accepted_ || !completions_.empty()) note_rates(now);
  int refilled = 0;
  if (!settler_.is_disabled()) refilled = static_cast<int>(backlog_.refill(now));
  int batches = 0;
  for (const bool sends = may_send(); sends && batches < batches_per_turn_max; ++batches) {
    bool is_retry = false;
    BatchPtr batch = next_batch(now, is_retry);
    if (!batch) break;
    if (batch->is_too_large) {
      settler_.bury(std::move(batch), DeadReason::too_large, {}, now);
    } else {
      start(std::move(batch), is_retry, now);
    }
  }
  failures_.do_work(now);
  drops_.look(ledger_, now);
  look_for_stall(now);
  if (is_flushing_ || leaves_) held_look_at_ = held() > 0 ? now.mono + held_look_interval : never;
  if (leaves_) leave(now);
  return batches + refilled + static_cast<int>(completions_.size());
}

bool Destination::may_send() const {
  return !settler_.is_disabled() && !pause_.is_on() && (lane_ == nullptr || !lane_->is_busy()) &&
         leaves_.value_or(OnRemove::drain) == OnRemove::drain;
}

// Sending -----------------------------------------------------------------------------------------

BatchPtr Destination::next_batch(const Now& now, bool& is_retry) {
  const MonoTime fresh_at = std::max(pacer_.may_start_at(places_taken()),
                                     backlog_.fresh_due_at(places_taken() == 0 || is_flushing_));
  const MonoTime retry_at = std::max(pacer_.may_retry_at(places_taken()), backlog_.retry_due_at());
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
  if (batch->failed_after != 0) ++meter_.retries;
  if (batch->first_attempt_at == MonoTime{}) batch->first_attempt_at = now.mono;
  ++batch->attempts;
  batch->attempt_id = pacer_.begin_attempt(is_retry, batch->events, batch->body.bytes.size(), now);
  batch->transport = transport_.get();
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
  attempt.wants_answer = encoder_->answer_reader() != nullptr;
  if (encoder_->is_single()) attempt.event = read_record(batch->records.data());
  if (in_flight_.empty() && type_ != DestinationType::http) stall_.start(now);
  in_flight_.push_back(std::move(batch));
  transport_->start(attempt, now);
}

/// The concurrency limit learns only while it alone holds back a batch that is due. Called before
/// answers are processed, because batches that were due until then were held back.
void Destination::note_held_back(const Now& now) {
  if (places_taken() < pacer_.concurrency_limit() || pause_.is_on()) return;
  const bool is_due =
      backlog_.fresh_due_at(is_flushing_) <= now.mono || backlog_.retry_due_at() <= now.mono;
  if (is_due) pacer_.note_held_back();
}

// Settling ----------------------------------------------------------------------------------------

void Destination::collect(const Now& now) {
  completions_.clear();
  transport_->collect(now, completions_);
  for (const auto& former : former_) former->collect(now, completions_);
  for (const Completion& completion : completions_) {
    BatchPtr batch = take_in_flight(completion.id, now);
    if (!batch) continue;
    meter_.note_end(completion, now.mono - batch->started_at);
    settler_.settle(std::move(batch), completion, now);
  }
  if (!former_.empty()) end_former_transports(now);
}

BatchPtr Destination::take_in_flight(AttemptId id, const Now& now) {
  const auto found = std::ranges::find(in_flight_, id, &Batch::attempt_id);
  if (found == in_flight_.end()) return nullptr;
  BatchPtr batch = std::move(*found);
  in_flight_.erase(found);
  if (batch->transport != transport_.get()) --in_former_;
  note_progress(now);
  ledger_.in_flight -= batch->events;
  return batch;
}

void Destination::note_progress(const Now& now) {
  if (const auto stalled = stall_.stop(now)) {
    log_.info("destination accepts events again",
              {{"destination", name_}, {"after", format_duration(*stalled)}});
  }
  if (!in_flight_.empty() && type_ != DestinationType::http) stall_.start(now);
}

/// A pipe whose reader does not read, or a file server that does not answer, holds a write for
/// ever: no attempt ends, so nothing fails.
void Destination::look_for_stall(const Now& now) {
  if (const auto stalled = stall_.take_line(now)) {
    log_.warn("destination hangs in a write; its events wait",
              {{"destination", name_},
               {"since", format_duration(*stalled)},
               {"queued", std::to_string(ledger_.queued + ledger_.in_flight)}});
  }
}

// Time and shutdown -------------------------------------------------------------------------------

MonoTime Destination::next_deadline() const {
  if (has_left_) return never;
  MonoTime former_deadline = never;
  for (const auto& former : former_) {
    former_deadline = std::min(former_deadline, former->next_deadline());
  }
  MonoTime deadline = std::min({transport_->next_deadline(), former_deadline,
                                failures_.next_deadline(), drops_.next_deadline(),
                                stall_.next_line(), held_look_at_, pause_.ends_at(), leaves_by_});
  if (settler_.is_disabled() || (lane_ != nullptr && lane_->is_busy())) return deadline;
  // Events that expired have made room since the last refill.
  if (backlog_.can_refill()) return MonoTime::min();
  if (!may_send()) return deadline;
  const MonoTime start_at = pacer_.may_start_at(places_taken());
  if (start_at == never) return deadline;
  const MonoTime fresh_at = backlog_.fresh_due_at(places_taken() == 0 || is_flushing_);
  if (fresh_at != never) deadline = std::min(deadline, std::max(start_at, fresh_at));
  const MonoTime retry_at = backlog_.retry_due_at();
  if (retry_at != never) {
    deadline = std::min(deadline, std::max(pacer_.may_retry_at(places_taken()), retry_at));
  }
  return deadline;
}

void Destination::begin_flush(const Now& now) {
  is_flushing_ = true;
  held_look_at_ = held() > 0 ? now.mono : never;
  pacer_.hurry(now);
  backlog_.make_all_due(now);
}

void Destination::abandon(const Now& now) {
  if (std::exchange(has_left_, true)) return;
  const DropReason reason = leaves_ ? DropReason::removed : DropReason::linger;
  transport_->hurry(now);
  for (const auto& former : former_) former->hurry(now);
  collect(now);
  std::vector<BatchPtr> cut_off = std::exchange(in_flight_, {});
  in_former_ = 0;
  for (const BatchPtr& batch : cut_off) {
    batch->transport->cancel(batch->attempt_id);
    ledger_.in_flight -= batch->events;
  }
  if (lane_ != nullptr) {
    backlog_.put_back(cut_off, now);
  } else {
    for (BatchPtr& batch : cut_off) {
      ledger_.drop(reason, batch->events);
      backlog_.finish(std::move(batch), now);
    }
    ledger_.drop(reason, backlog_.clear());
  }
  drop_held();
  failures_.finish();
  drops_.finish(ledger_);
}

// A reload removes it ---------------------------------------------------------------------------

void Destination::begin_removal(OnRemove how, MonoTime deadline, const Now& now) {
  leaves_ = how;
  leaves_by_ = deadline;
  end_pause("a reload has removed the destination", now);
}

bool Destination::stay() {
  if (has_left_) return false;
  leaves_.reset();
  leaves_by_ = never;
  return true;
}

/// Of one that is gone for its receiver, the events on disk stay there.
void Destination::leave(const Now& now) {
  if (*leaves_ == OnRemove::drop) ledger_.drop(DropReason::removed, backlog_.discard());
  const bool has_unread = lane_ != nullptr && lane_->has_unread() && !settler_.is_disabled();
  const bool is_done =
      *leaves_ == OnRemove::spool ? in_flight_.empty() : is_drained() && !has_unread;
  if (is_done || leaves_by_ <= now.mono) abandon(now);
}

void Destination::park(const Now& now) {
  close(now.mono);
  former_.clear();
  transport_.reset();
  lane_ = nullptr;
}

/// They counted as delivered when they were handed over.
void Destination::drop_held() {
  const std::uint64_t lost = std::min(held(), ledger_.delivered);
  ledger_.delivered -= lost;
  ledger_.drop(leaves_ ? DropReason::removed : DropReason::linger, lost);
}

}  // namespace outrider::sidecar
