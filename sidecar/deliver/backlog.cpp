#include "sidecar/deliver/backlog.hpp"

#include <algorithm>
#include <utility>

namespace outrider::sidecar {
namespace {

/// Events that one call sets aside at most, so that a turn stays short.
constexpr std::uint32_t set_aside_max = 10'000;
/// The largest number of events that one call takes from disk, for the same reason.
constexpr std::uint32_t refill_max = 10'000;
/// The part of the queue reserved for events that wait on disk, while there are any: otherwise new
/// events would always take all the room.
constexpr double part_for_disk = 0.25;
/// If this part of the queue's limits is used by events that have left the queue and are held up or
/// in flight, events on disk whose key fails stay there.
constexpr double part_held = 0.5;

/// When something came that has stood on disk since `created_ns` by the wall clock, as far as that
/// can be told: the clock may have jumped.
MonoTime stored_at(std::uint64_t created_ns, const Now& now) {
  if (created_ns == 0 || created_ns > now.wall_ns()) return now.mono;
  return now.mono - Duration(static_cast<Duration::rep>(now.wall_ns() - created_ns));
}

}  // namespace

Backlog::Backlog(const DestinationConfig& config, std::shared_ptr<Encoder> encoder, Lane* lane,
                 Ledger& ledger, std::uint64_t seed)
    : keeps_key_order_(config.ordering == Ordering::key),
      is_fresh_first_(config.spool_order == SpoolOrder::fresh_first),
      lane_(lane),
      ledger_(ledger),
      batch_ids_(seed),
      queue_({config.queue_events_max, config.queue_bytes_max},
             keeps_key_order_ ? QueueOrder::by_arrival : QueueOrder::by_priority) {
  use(config, std::move(encoder));
}

void Backlog::use(const DestinationConfig& config, std::shared_ptr<Encoder> encoder) {
  encoder_ = std::move(encoder);
  when_full_ = config.when_full;
  batch_events_max_ = encoder_->is_single() ? 1 : config.batch_events_max;
  batch_bytes_max_ = config.batch_bytes_max;
  body_bytes_max_ = config.body_bytes_max;
  batch_delay_ = config.batch_delay;
  queue_.use({config.queue_events_max, config.queue_bytes_max});
}

// Coming in ---------------------------------------------------------------------------------------

void Backlog::accept(proto::ByteView record, const Now& now) {
  const proto::Priority priority = record_priority_at(record.data());
  const bool is_behind_key = is_behind_its_key(record);
  const bool is_behind = lane_ != nullptr && lane_->has_unread() && !is_fresh_first_;
  const bool may_spill = when_full_ == WhenFull::spool && (is_behind || !has_room(record.size()));
  if ((may_spill || is_behind_key) && spill(record, now)) return;
  // Only the order of keys is worth an event: else one for which the disk has no room overtakes.
  if (is_behind_key || (!has_room(record.size()) && !make_room(record.size(), priority, now))) {
    const bool was_for_disk = may_spill || is_behind_key;
    ledger_.drop(was_for_disk ? DropReason::spool_full : DropReason::queue_full, 1);
    return;
  }
  if (queue_.is_empty()) gathering_since_ = now.mono;
  queue_.push(record, priority, now.mono);
  if (keeps_key_order_ && lane_ != nullptr && !read_record(record.data()).key.empty()) {
    ahead_of_emitted_ = queue_.events();
  }
  ++ledger_.queued;
}

/// An event of its key may be on disk, whatever `when_full` is: this one then goes there too, after
/// it.
bool Backlog::is_behind_its_key(proto::ByteView record) const {
  return keeps_key_order_ && lane_ != nullptr && lane_->has_older() &&
         !read_record(record.data()).key.empty();
}

/// The part of the queue that a new event leaves to others. Always with order by key: events set
/// aside for a failing key must not block those that will be on disk with other keys.
double Backlog::free_part() const {
  if (lane_ == nullptr) return 0;
  return keeps_key_order_ || lane_->has_unread() ? part_for_disk : 0;
}

bool Backlog::has_room(std::size_t record_bytes) const {
  return queue_.has_room(record_bytes, free_part());
}

bool Backlog::spill(proto::ByteView record, const Now& now) {
  return lane_ != nullptr && lane_->append(read_record(record.data()), now);
}

std::uint32_t Backlog::refill(const Now& now) {
  if (lane_ == nullptr) return 0;
  if (lanes_.wants_look_back()) lane_->want_look_back();
  if (can_look_back()) {
    lanes_.look_back();
    lane_->look_back();
  }
  std::uint32_t events = 0;
  while (events < refill_max && can_refill()) {
    const proto::ByteView stored = lane_->next();
    const std::size_t record_bytes = restored_record_bytes(stored);
    if (queue_.is_empty()) gathering_since_ = now.mono;
    std::uint8_t* out = queue_.add(record_bytes, record_priority_at(stored.data()), true,
                                   stored_at(lane_->next_created_ns(), now));
    restore_record(stored, lane_->next_origin(), now, out);
    lane_->take_next();
    ++events;
  }
  ledger_.queued += events;
  lane_->read_ahead();
  return events;
}

bool Backlog::can_refill() const {
  if (lane_ == nullptr) return false;
  if (can_look_back()) return true;
  if (!lane_->has_next()) return false;
  // One that would never fit is taken alone.
  return queue_.is_unused() || queue_.has_room(restored_record_bytes(lane_->next()));
}

/// No event that was read before a passed-over one may be next after it.
bool Backlog::can_look_back() const {
  return lanes_.wants_look_back() && lane_->can_look_back() && !queue_.has_promised();
}

/// Events that wait again after they were taken from the queue.
class Backlog::Taken final : public TakenEvents {
 public:
  Taken(Backlog& backlog, const Now& now) : backlog_(backlog), now_(now) {}

  Amount evictable(proto::Priority priority) const override {
    Amount amount = backlog_.waiting_.evictable(priority);
    amount += backlog_.lanes_.evictable(priority);
    return amount;
  }
  void evict(proto::Priority priority) override {
    if (backlog_.waiting_.evictable(priority).events == 0) {
      backlog_.queue_.release(1, backlog_.lanes_.evict(priority));
      return;
    }
    WaitingBatches::Evicted evicted = backlog_.waiting_.evict(priority);
    backlog_.release(evicted.record);
    if (evicted.emptied) backlog_.finish(std::move(evicted.emptied), now_);
  }

 private:
  Backlog& backlog_;
  const Now& now_;
};

bool Backlog::make_room(std::size_t record_bytes, proto::Priority priority, const Now& now) {
  if (when_full_ != WhenFull::drop_oldest) {
    // A new event gives way to its own kind, but not to less important ones.
    if (priority == proto::Priority::low) return false;
    priority = static_cast<proto::Priority>(static_cast<int>(priority) - 1);
  }
  Taken taken(*this, now);
  const std::optional<std::uint64_t> evicted =
      queue_.evict_for(record_bytes, priority, free_part(), &taken);
  if (!evicted) return false;
  ledger_.queued -= *evicted;
  ledger_.drop(DropReason::evicted, *evicted);
  return true;
}

// Going out ---------------------------------------------------------------------------------------

bool Backlog::has_full_batch() const {
  return queue_.events() >= batch_events_max_ || queue_.bytes() >= batch_bytes_max_;
}

MonoTime Backlog::fresh_due_at(bool is_idle) const {
  if (lanes_.has_ready()) return gathering_since_;
  if (queue_.is_empty()) return never;
  return is_idle || has_full_batch() ? gathering_since_ : gathering_since_ + batch_delay_;
}

MonoTime Backlog::retry_due_at() const {
  return waiting_.due_at();
}

/// First what was set aside and is free, then the queue: whatever the queue holds of such a key
/// came later. An event of the queue whose key is blocked is set aside, never left in the queue, so
/// that it does not hold up the keys behind it.
BatchPtr Backlog::take_fresh(std::uint64_t events_max, const Now& now) {
  BatchPtr batch = spare_ ? std::move(spare_) : std::make_unique<Batch>();
  encoder_->begin(batch->body);
  events_max = std::min(events_max, batch_events_max_);
  while (batch->events < events_max && lanes_.has_ready()) {
    const RecordView record = read_record(lanes_.front().data());
    if (!drop_if_expired(record, now)) {
      if (!add_next(*batch, record)) break;
      batch->arrived = std::min(batch->arrived, lanes_.front_arrived());
    } else {
      // It has not entered its lane, and so does not leave it.
      settle_on_disk(record);
      queue_.release(1, record.bytes.size());
    }
    lanes_.pop_front();
  }
  std::uint32_t set_aside = 0;
  while (batch->events < events_max && !queue_.is_empty() && set_aside < set_aside_max) {
    const RecordView record = read_record(queue_.front().data());
    if (drop_if_expired(record, now)) {
      settle_on_disk(record);
      queue_.pop();
    } else if (keeps_key_order_ && lanes_.is_blocked(record.key)) {
      ++set_aside;
      if (pass_over(record)) {
        queue_.pop();
      } else {
        lanes_.set_aside(record, queue_.front_arrived());
        queue_.take();
      }
    } else {
      if (!add_next(*batch, record)) break;
      batch->arrived = std::min(batch->arrived, queue_.take());
    }
    if (ahead_of_emitted_ > 0) --ahead_of_emitted_;
  }
  gathering_since_ = now.mono;
  if (batch->events == 0) {
    recycle(std::move(batch));
    return nullptr;
  }
  ledger_.queued -= batch->events;
  if (keeps_key_order_) lanes_.enter(*batch);
  encoder_->end(batch->body);
  batch->encoder = encoder_;
  give_id(*batch, now);
  return batch;
}

/// False if the event would make the body too large, and stays where it is.
bool Backlog::add_next(Batch& batch, const RecordView& record) {
  encoder_->add(record, batch.body);
  if (batch.events > 0 && batch.body.bytes.size() > batch_bytes_max_) {
    batch.body.take_back();
    return false;
  }
  batch.is_too_large = batch.body.bytes.size() > body_bytes_max_;
  batch.records.insert(batch.records.end(), record.bytes.begin(), record.bytes.end());
  ++batch.events;
  return true;
}

/// True: the event stays on disk, with all later events of its key. Emitted events of a key enter
/// memory only while none of its events is on disk, so none of them follows it.
bool Backlog::pass_over(const RecordView& record) {
  if (!record.origin) return false;
  const bool is_too_much = lanes_.is_failing(record.key) && queue_.is_taken(part_held);
  const bool is_first = is_too_much && ahead_of_emitted_ == 0;
  if (!is_first && !lanes_.is_passed(record.key)) return false;
  if (!lane_->pass_over(record)) return false;
  lanes_.pass_over(record.key);
  --ledger_.queued;
  return true;
}

bool Backlog::drop_if_expired(const RecordView& record, const Now& now) {
  if (record.expires_at > now.mono) return false;
  --ledger_.queued;
  ledger_.drop(DropReason::expired, 1);
  return true;
}

BatchPtr Backlog::take_retry(const Now& now) {
  while (!waiting_.is_empty() && waiting_.due_at() <= now.mono) {
    BatchPtr batch = waiting_.take_first();
    remove_expired(*batch, now);
    if (batch->events > 0) {
      ledger_.queued -= batch->events;
      encode(*batch);
      return batch;
    }
    finish(std::move(batch), now);
  }
  return nullptr;
}

void Backlog::remove_expired(Batch& batch, const Now& now) {
  const std::uint32_t expired = batch.remove_if([&](std::uint32_t, const RecordView& record) {
    if (!drop_if_expired(record, now)) return false;
    release(record);
    return true;
  });
  const bool was_changed = std::exchange(batch.waiting.has_changed, false);
  if ((expired > 0 || was_changed) && batch.events > 0) give_id(batch, now);
}

void Backlog::encode(Batch& batch) {
  Encoder& encoder = *batch.encoder;
  encoder.begin(batch.body);
  batch.for_each([&](const RecordView& record) { encoder.add(record, batch.body); });
  encoder.end(batch.body);
}

void Backlog::give_id(Batch& batch, const Now& now) {
  if (batch.events == 1) {
    IdSpace space;
    batch.id = id_text(read_record(batch.records.data()), space);
  } else {
    batch.id.resize(uuid_text_bytes);
    write_uuid_text(batch_ids_.next(now.wall_ns()), batch.id.data());
  }
}

// Coming back -------------------------------------------------------------------------------------

void Backlog::wait_until(MonoTime due, BatchPtr batch) {
  ledger_.queued += batch->events;
  if (keeps_key_order_ && batch->failed_after != 0) note_failure(*batch);
  batch->rest();
  waiting_.add(due, std::move(batch));
}

/// Events that were set aside before their key was known to fail leave, too.
void Backlog::note_failure(const Batch& batch) {
  lanes_.note_failure(batch);
  if (lane_ == nullptr || ahead_of_emitted_ > 0) return;
  const auto pass = [this](const RecordView& record) {
    if (!record.origin || !queue_.is_taken(part_held) || !lane_->pass_over(record)) return false;
    queue_.release(1, record.bytes.size());
    --ledger_.queued;
    return true;
  };
  batch.for_each([&](const RecordView& record) { lanes_.pass_over_youngest(record.key, pass); });
}

void Backlog::split(BatchPtr batch, const Now& now) {
  BatchPtr second = std::make_unique<Batch>();
  std::size_t middle = 0;
  for (std::uint32_t i = 0; i < batch->events / 2; ++i) {
    middle += record_bytes_at(batch->records.data() + middle);
  }
  const auto cut = batch->records.begin() + static_cast<std::ptrdiff_t>(middle);
  second->records.assign(cut, batch->records.end());
  second->events = batch->events - batch->events / 2;
  second->first_attempt_at = batch->first_attempt_at;
  second->arrived = batch->arrived;
  second->encoder = batch->encoder;
  batch->records.erase(cut, batch->records.end());
  batch->events /= 2;
  batch->attempts = 0;
  batch->failed_after = 0;
  give_id(*batch, now);
  give_id(*second, now);
  if (keeps_key_order_) {
    // Both halves may have the same keys, and what followed the whole follows the second half.
    second->follower = std::move(batch->follower);
    ledger_.queued += second->events;
    batch->follower = std::move(second);
  } else {
    wait_until(now.mono, std::move(second));
  }
  wait_until(now.mono, std::move(batch));
}

void Backlog::make_all_due(const Now& now) {
  waiting_.make_all_due(now);
}

void Backlog::forget_attempts() {
  waiting_.for_each([](Batch& batch) { batch.forget_attempts(); });
}

void Backlog::make_up_for(Duration lost, const Now& now) {
  if (lost == Duration::zero()) return;
  waiting_.for_each([&](Batch& batch) {
    if (batch.first_attempt_at == MonoTime{}) return;
    batch.first_attempt_at = std::min(batch.first_attempt_at + lost, now.mono);
  });
}

void Backlog::settle_on_disk(const RecordView& record) {
  if (record.origin) lane_->settle(record);
}

void Backlog::release(const RecordView& record) {
  settle_on_disk(record);
  queue_.release(1, record.bytes.size());
  if (keeps_key_order_ && !record.key.empty()) lanes_.leave(record.key);
}

/// The keys of a follower stay blocked: its events entered with the batch that was split, and have
/// not left.
void Backlog::finish(BatchPtr batch, const Now& now) {
  if (keeps_key_order_ || lane_ != nullptr) {
    batch->for_each([this](const RecordView& record) { release(record); });
  } else {
    queue_.release(batch->events, batch->records.size());
  }
  if (batch->follower) waiting_.add(now.mono, std::move(batch->follower));
  recycle(std::move(batch));
}

void Backlog::recycle(BatchPtr batch) {
  batch->records.clear();
  batch->events = 0;
  batch->attempts = 0;
  batch->first_attempt_at = {};
  batch->arrived = never;
  batch->failed_after = 0;
  batch->is_too_large = false;
  batch->waiting = {};
  batch->encoder.reset();
  // Memory for one large event is not worth keeping.
  const std::size_t kept_max = 2 * batch_bytes_max_;
  if (batch->records.capacity() > kept_max) give_back(batch->records);
  if (batch->body.bytes.capacity() > kept_max) give_back(batch->body);
  spare_ = std::move(batch);
}

void Backlog::put_back(const std::vector<BatchPtr>& taken, const Now& now) {
  // Each holder of events gives them up, once; the lane knows the effect on disk.
  PutBack all;
  const auto add = [&](const RecordView& record) {
    all.add(record, lane_->created_ns(record, now), now);
  };
  const auto add_queued = [&](const RecordView& record) {
    add(record);
    --ledger_.queued;
  };
  // Oldest first: batches in flight, batches that wait for another attempt, events that wait for
  // those. Followers of a batch that is still in flight stay with it.
  for (const BatchPtr& batch : taken) {
    batch->for_each(add);
    for (const Batch* next = batch->follower.get(); next != nullptr; next = next->follower.get()) {
      next->for_each(add_queued);
    }
  }
  waiting_.for_each([&](const Batch& batch) { batch.for_each(add_queued); });
  lanes_.for_each([&](proto::ByteView record) { add_queued(read_record(record.data())); });
  for (; !queue_.is_empty(); queue_.pop()) {
    const RecordView record = read_record(queue_.front().data());
    // Events that were passed over stay in their place, and so do all after them.
    if (!pass_over(record)) add_queued(record);
  }
  waiting_.clear();
  lanes_.clear();
  lane_->put_back(std::move(all));
}

std::uint64_t Backlog::clear() {
  std::uint64_t events = queue_.events() + lanes_.events();
  queue_.clear();
  lanes_.for_each([this](proto::ByteView record) { queue_.release(1, record.size()); });
  lanes_.clear();
  waiting_.for_each([&](const Batch& batch) {
    events += batch.events;
    batch.for_each([this](const RecordView& record) { release(record); });
  });
  waiting_.clear();
  ledger_.queued -= events;
  return events;
}

std::uint64_t Backlog::discard() {
  std::uint64_t events = 0;
  for (; !queue_.is_empty(); queue_.pop(), ++events) {
    settle_on_disk(read_record(queue_.front().data()));
  }
  lanes_.for_each([&](proto::ByteView record) {
    settle_on_disk(read_record(record.data()));
    queue_.release(1, record.size());
    ++events;
  });
  lanes_.clear();
  waiting_.for_each([&](const Batch& batch) {
    events += batch.events;
    batch.for_each([this](const RecordView& record) { release(record); });
  });
  waiting_.clear();
  ledger_.queued -= events;
  return events;
}

MonoTime Backlog::oldest() const {
  const MonoTime oldest = std::min(queue_.oldest(), waiting_.oldest());
  return lanes_.has_ready() ? std::min(oldest, lanes_.front_arrived()) : oldest;
}

bool Backlog::is_empty() const {
  return queue_.is_empty() && lanes_.is_empty() && waiting_.is_empty();
}

}  // namespace outrider::sidecar
