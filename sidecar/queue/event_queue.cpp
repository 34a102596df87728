#include "sidecar/queue/event_queue.hpp"

#include <algorithm>
#include <cstring>

#include "sidecar/base/record.hpp"

namespace outrider::sidecar {

/// The limits for new events, if a part of the room is for others.
QueueLimits EventQueue::limits_with(double part) const {
  if (part == 0) return limits_;
  const auto share = [part](std::uint64_t limit) {
    return static_cast<std::uint64_t>(static_cast<double>(limit) * (1 - part));
  };
  return {share(limits_.events_max), share(limits_.bytes_max)};
}

bool EventQueue::has_room(std::size_t record_bytes, double part) const {
  const QueueLimits limits = limits_with(part);
  return total_events() < limits.events_max && total_bytes() + record_bytes <= limits.bytes_max;
}

std::optional<std::uint64_t> EventQueue::evict_for(std::size_t record_bytes, proto::Priority up_to,
                                                   double part, TakenEvents* taken) {
  // More than its share is already in use: then new events take the place of those that leave.
  QueueLimits limits = limits_with(part);
  limits.events_max = std::min(limits_.events_max, std::max(limits.events_max, total_events()));
  limits.bytes_max = std::min(limits_.bytes_max, std::max(limits.bytes_max, total_bytes()));
  const auto fits = [&](const Amount& held) {
    return held.events < limits.events_max && held.bytes + record_bytes <= limits.bytes_max;
  };
  const auto total = [this] { return Amount{total_events(), total_bytes()}; };
  const auto evictable_taken = [&](std::size_t priority) {
    return taken ? taken->evictable(static_cast<proto::Priority>(priority)) : Amount{};
  };
  Amount kept = total();
  for (std::size_t priority = 0; priority <= static_cast<std::size_t>(up_to); ++priority) {
    const RecordFifo& queued = fifos_[fifo_of(priority, false)];
    kept -= {queued.events(), queued.bytes()};
    kept -= evictable_taken(priority);
  }
  if (!fits(kept)) return std::nullopt;
  std::uint64_t evicted = 0;
  for (std::size_t priority = 0; !fits(total());) {
    if (evictable_taken(priority).events > 0) {
      taken->evict(static_cast<proto::Priority>(priority));
    } else if (const std::size_t fifo = fifo_of(priority, false); !fifos_[fifo].is_empty()) {
      remove_front(fifo);
    } else {
      ++priority;
      continue;
    }
    ++evicted;
  }
  return evicted;
}

void EventQueue::push(proto::ByteView record, proto::Priority priority, MonoTime arrived) {
  const bool is_promised = has_record_origin_at(record.data());
  std::memcpy(add(record.size(), priority, is_promised, arrived), record.data(), record.size());
}

std::uint8_t* EventQueue::add(std::size_t record_bytes, proto::Priority priority, bool is_promised,
                              MonoTime arrived) {
  const std::size_t fifo = fifo_of(static_cast<std::size_t>(priority), is_promised);
  order_of(fifo).add(fifo);
  times_[fifo].add(arrived);
  return fifos_[fifo].add(record_bytes);
}

std::uint64_t EventQueue::events() const {
  std::uint64_t events = 0;
  for (const RecordFifo& fifo : fifos_) events += fifo.events();
  return events;
}

std::uint64_t EventQueue::bytes() const {
  std::uint64_t bytes = 0;
  for (const RecordFifo& fifo : fifos_) bytes += fifo.bytes();
  return bytes;
}

MonoTime EventQueue::oldest() const {
  MonoTime oldest = never;
  for (const ArrivalTimes& times : times_) {
    if (!times.is_empty()) oldest = std::min(oldest, times.front());
  }
  return oldest;
}

bool EventQueue::has_promised() const {
  for (std::size_t fifo = 1; fifo < fifos; fifo += 2) {
    if (!fifos_[fifo].is_empty()) return true;
  }
  return false;
}

bool EventQueue::is_taken(double part) const {
  const QueueLimits limits = limits_with(1 - part);
  return taken_events_ >= limits.events_max || taken_bytes_ >= limits.bytes_max;
}

ArrivalOrder& EventQueue::order_of(std::size_t fifo) {
  return orders_[order_ == QueueOrder::by_arrival ? 0 : fifo / 2];
}

const ArrivalOrder& EventQueue::front_order() const {
  if (order_ == QueueOrder::by_arrival) return orders_[0];
  std::size_t priority = priorities - 1;
  while (orders_[priority].is_empty()) --priority;
  return orders_[priority];
}

void EventQueue::remove_front(std::size_t fifo) {
  fifos_[fifo].pop_front();
  times_[fifo].remove();
  order_of(fifo).remove(fifo);
}

proto::ByteView EventQueue::front() const {
  return fifos_[front_order().front()].front();
}

void EventQueue::pop() {
  remove_front(front_order().front());
}

void EventQueue::clear() {
  fifos_ = {};
  times_ = {};
  orders_ = {};
}

MonoTime EventQueue::take() {
  const std::size_t fifo = front_order().front();
  const MonoTime arrived = times_[fifo].front();
  ++taken_events_;
  taken_bytes_ += fifos_[fifo].front().size();
  remove_front(fifo);
  return arrived;
}

void EventQueue::release(std::uint64_t events, std::uint64_t bytes) {
  taken_events_ -= events;
  taken_bytes_ -= bytes;
}

}  // namespace outrider::sidecar
