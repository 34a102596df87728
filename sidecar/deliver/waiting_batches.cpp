#include "sidecar/deliver/waiting_batches.hpp"

namespace outrider::sidecar {
namespace {

/// The share of a batch's bytes that its evicted events may still hold: one in this many.
constexpr std::size_t gap_divisor = 8;

}  // namespace

void WaitingBatches::add(MonoTime due, BatchPtr batch) {
  for (Batch* each = batch.get(); each != nullptr; each = each->follower.get()) {
    count(*each, each != batch.get());
  }
  batch->waiting.due = due;
  const Due place{due, batch->waiting.number};
  by_due_.emplace(place, std::move(batch));
}

void WaitingBatches::count(Batch& batch, bool is_follower) {
  WaitingBatch& waiting = batch.waiting;
  if (waiting.number == 0) waiting.number = ++last_number_;
  waiting.is_follower = is_follower;
  arrivals_.insert(batch.arrived);
  waiting.evictable = {};
  waiting.look_from = {};
  for (std::size_t at = 0; at < batch.records.size();) {
    const std::uint8_t* record = batch.records.data() + at;
    const std::size_t bytes = record_bytes_at(record);
    if (!has_record_origin_at(record)) {
      waiting.evictable[index_of(record_priority_at(record))] += {1, bytes};
    }
    at += bytes;
  }
  for (std::size_t i = 0; i < evictable_.size(); ++i) {
    if (waiting.evictable[i].events == 0) continue;
    evictable_[i] += waiting.evictable[i];
    by_age_[i].emplace(waiting.number, &batch);
  }
}

/// It leaves.
void WaitingBatches::forget(Batch& batch) {
  close_gaps(batch);
  arrivals_.erase(arrivals_.find(batch.arrived));
  for (std::size_t i = 0; i < evictable_.size(); ++i) {
    evictable_[i] -= batch.waiting.evictable[i];
    by_age_[i].erase(batch.waiting.number);
  }
}

MonoTime WaitingBatches::due_at() const {
  return by_due_.empty() ? never : by_due_.begin()->first.first;
}

BatchPtr WaitingBatches::take_first() {
  BatchPtr first = std::move(by_due_.extract(by_due_.begin()).mapped());
  for (Batch* batch = first.get(); batch != nullptr; batch = batch->follower.get()) forget(*batch);
  return first;
}

void WaitingBatches::make_all_due(const Now& now) {
  std::map<Due, BatchPtr> due;
  for (auto& [place, batch] : by_due_) {
    batch->waiting.due = now.mono;
    const Due at{now.mono, batch->waiting.number};
    due.emplace(at, std::move(batch));
  }
  by_due_ = std::move(due);
}

WaitingBatches::Evicted WaitingBatches::evict(proto::Priority priority) {
  const std::size_t index = index_of(priority);
  Batch& batch = *by_age_[index].begin()->second;
  WaitingBatch& waiting = batch.waiting;
  std::size_t& at = waiting.look_from[index];
  const auto is_it = [&](const std::uint8_t* record) {
    return record_priority_at(record) == priority && !has_record_origin_at(record) &&
           !is_record_evicted_at(record);
  };
  while (!is_it(batch.records.data() + at)) at += record_bytes_at(batch.records.data() + at);
  std::uint8_t* const record = batch.records.data() + at;
  const std::size_t bytes = record_bytes_at(record);
  evicted_.assign(record, record + bytes);
  mark_record_evicted(record);
  at += bytes;
  --batch.events;
  waiting.evicted_bytes += bytes;
  waiting.has_changed = true;
  waiting.evictable[index] -= {1, bytes};
  evictable_[index] -= {1, bytes};
  if (waiting.evictable[index].events == 0) by_age_[index].erase(waiting.number);
  if (waiting.evicted_bytes * gap_divisor >= batch.records.size()) {
    close_gaps(batch);
    batch.records.shrink_to_fit();
  }
  Evicted evicted{read_record(evicted_.data()), nullptr};
  // An empty follower goes when it would have gone.
  if (batch.events == 0 && !waiting.is_follower) {
    evicted.emptied = std::move(by_due_.extract({waiting.due, waiting.number}).mapped());
    for (Batch* each = &batch; each != nullptr; each = each->follower.get()) forget(*each);
  }
  return evicted;
}

void WaitingBatches::close_gaps(Batch& batch) {
  if (batch.waiting.evicted_bytes == 0) return;
  const std::uint32_t events = batch.events;
  batch.remove_if([](std::uint32_t, const RecordView& record) {
    return is_record_evicted_at(record.bytes.data());
  });
  batch.events = events;  // they were not among them any more
  batch.waiting.evicted_bytes = 0;
  batch.waiting.look_from = {};
}

void WaitingBatches::clear() {
  by_due_.clear();
  by_age_ = {};
  evictable_ = {};
  arrivals_.clear();
}

}  // namespace outrider::sidecar
