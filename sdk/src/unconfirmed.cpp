#include "sdk/src/unconfirmed.hpp"

#include <algorithm>
#include <utility>

#include "proto/refusal.hpp"
#include "sdk/src/identity.hpp"

namespace outrider::sdk {

Unconfirmed::Unconfirmed(std::size_t bytes_max, std::size_t frame_bytes_max)
    : bytes_max_(bytes_max),
      frame_bytes_max_(frame_bytes_max),
      batch_bytes_max_(frame_bytes_max - frame_head_bytes_max) {}

outrider_status Unconfirmed::take(std::span<const proto::ByteView> pieces, Delivery delivery,
                                  bool& is_awaited) {
  std::size_t bytes = 0;
  for (const proto::ByteView piece : pieces) bytes += piece.size();
  if (bytes + delivery_bytes > bytes_max_) return OUTRIDER_TOO_LARGE;
  const std::lock_guard guard(mutex_);
  if (event_bytes_said_ != 0 && bytes > event_bytes_said_) return OUTRIDER_TOO_LARGE;
  if (is_closed_) return OUTRIDER_CLOSED;
  if (!has_room(bytes + delivery_bytes, topic_of(pieces.front()))) return OUTRIDER_FULL;
  // An answer can name each event of a frame, or one that has to wait would hold up the others.
  if (waiting_.empty() || waiting_.back().events.size() + bytes > batch_bytes_max_ ||
      waiting_.back().deliveries.size() == proto::refused_events_max) {
    waiting_.emplace_back().first_event = counts_.taken_events;
  }
  Batch& batch = waiting_.back();
  const std::size_t size = batch.events.size() + bytes;
  if (size > batch.events.capacity()) {
    batch.events.reserve(std::max(size, std::min(2 * batch.events.capacity(), batch_bytes_max_)));
  }
  batch.deliveries.push_back(delivery);
  for (const proto::ByteView piece : pieces) batch.events.append(proto::as_text(piece));
  held_bytes_ += bytes + delivery_bytes;
  ++counts_.taken_events;
  is_awaited = std::exchange(is_awaited_, false);
  return OUTRIDER_OK;
}

bool Unconfirmed::has_room(std::size_t bytes, std::string_view topic) const {
  const std::size_t stuck_bytes = stuck_topics_.bytes();
  const bool is_stuck = stuck_topics_.holds(topic);
  if (is_stuck && stuck_bytes + bytes > bytes_max_ / 2) return false;
  // The events taken before the first of it was refused may be all of them.
  const bool has_reserve = stuck_bytes > 0 && !is_stuck;
  const std::size_t reserve = has_reserve ? bytes_max_ / reserve_share : 0;
  return held_bytes_ + bytes <= bytes_max_ + reserve;
}

bool Unconfirmed::wait_answered(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  const std::uint64_t taken = counts_.taken_events;
  changed_.wait_until(lock, deadline, [&] { return answered_in_order_ >= taken || is_settled_; });
  return answered_in_order_ >= taken;
}

void Unconfirmed::wait_settled() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return is_settled_; });
}

void Unconfirmed::close() {
  const std::lock_guard guard(mutex_);
  is_closed_ = true;
}

DeliveryCounts Unconfirmed::counts() {
  const std::lock_guard guard(mutex_);
  DeliveryCounts counts = counts_;
  counts.unconfirmed_events =
      counts.taken_events - counts.confirmed_events - counts.refused_events - counts.expired_events;
  counts.unconfirmed_bytes = held_bytes_;
  return counts;
}

bool Unconfirmed::may_sleep(bool wants_events) {
  const std::lock_guard guard(mutex_);
  if (wants_events && !waiting_.empty()) return false;
  is_awaited_ = wants_events;
  return true;
}

bool Unconfirmed::has_waiting() {
  const std::lock_guard guard(mutex_);
  return !waiting_.empty();
}

Batch Unconfirmed::take_first() {
  const std::lock_guard guard(mutex_);
  Batch first = std::move(waiting_.front());
  waiting_.pop_front();
  return first;
}

void Unconfirmed::set_limits(const proto::SaidLimits& said) {
  // A sidecar that takes next to nothing gets its events one by one.
  const std::size_t frame_bytes_max =
      said.frame_bytes_max == 0
          ? frame_bytes_max_
          : std::clamp<std::uint64_t>(said.frame_bytes_max, frame_head_bytes_max, frame_bytes_max_);
  const std::lock_guard guard(mutex_);
  event_bytes_said_ = said.event_bytes_max;
  batch_bytes_max_ = frame_bytes_max - frame_head_bytes_max;
}

void Unconfirmed::forget_sidecar() {
  const std::lock_guard guard(mutex_);
  event_bytes_said_ = 0;
  stuck_topics_.know({});
}

void Unconfirmed::add_stuck(const Batch& batch, std::vector<proto::TopicSet> full) {
  const std::lock_guard guard(mutex_);
  stuck_topics_.add(batch);
  stuck_topics_.know(std::move(full));
}

void Unconfirmed::count_as(bool may_be_taken, Batch& batch) {
  if (batch.may_be_taken == may_be_taken) return;
  batch.may_be_taken = may_be_taken;
  const std::uint64_t events = batch.deliveries.size();
  const std::lock_guard guard(mutex_);
  counts_.unanswered_events += may_be_taken ? events : 0 - events;
}

void Unconfirmed::settle(Batch batch, outrider_status status,
                         std::span<const proto::RefusedEvent> refused, std::size_t kept_bytes) {
  // After a close it may still be taken.
  if (status != OUTRIDER_TIMEOUT) count_as(false, batch);
  std::uint64_t later = 0;
  for (const proto::RefusedEvent& event : refused) later += proto::is_for_later(event.refusal);
  const std::uint64_t refused_now = refused.size() - later;
  const std::uint64_t others = batch.deliveries.size() - refused.size();
  {
    const std::lock_guard guard(mutex_);
    held_bytes_ -= batch.cost() - kept_bytes;
    if (batch.is_stuck) stuck_topics_.remove(batch);
    counts_.refused_events += refused_now + (status == OUTRIDER_REFUSED ? others : 0);
    if (status == OUTRIDER_OK) counts_.confirmed_events += others;
    if (status == OUTRIDER_TIMEOUT) counts_.expired_events += others;
  }
  auto next_refused = refused.begin();
  std::uint32_t index = 0;
  for (const Delivery& delivery : batch.deliveries) {
    outrider_status told = status;
    bool is_later = false;
    if (next_refused != refused.end() && next_refused->index == index) {
      is_later = proto::is_for_later(next_refused++->refusal);
      told = OUTRIDER_REFUSED;
    }
    ++index;
    if (!is_later && delivery.confirm != nullptr) delivery.confirm(delivery.user, told);
  }
}

void Unconfirmed::note_answered(std::uint64_t first_unanswered) {
  const std::lock_guard guard(mutex_);
  const std::uint64_t first_waiting =
      waiting_.empty() ? counts_.taken_events : waiting_.front().first_event;
  const std::uint64_t answered = std::min(first_unanswered, first_waiting);
  if (answered == answered_in_order_) return;
  answered_in_order_ = answered;
  changed_.notify_all();
}

void Unconfirmed::expire() {
  while (has_waiting()) settle(take_first(), OUTRIDER_TIMEOUT, {}, 0);
  const std::lock_guard guard(mutex_);
  is_settled_ = true;
  changed_.notify_all();
}

}  // namespace outrider::sdk
