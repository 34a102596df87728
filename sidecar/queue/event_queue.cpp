#include "sidecar/queue/event_queue.hpp"

#include <algorithm>
#include <cstring>

#include "sidecar/base/record.hpp"

namespace outrider::sidecar {

bool EventQueue::has_room(std::size_t record_bytes, double part) const {
  const auto share = [part](std::uint64_t limit) {
    return part == 0 ? limit : static_cast<std::uint64_t>(static_cast<double>(limit) * (1 - part));
  };
  return events() + taken_events_ < share(limits_.events_max) &&
         bytes() + taken_bytes_ + record_bytes <= share(limits_.bytes_max);
}

bool EventQueue::could_fit(std::size_t record_bytes, proto::Priority up_to) const {
  std::uint64_t kept_events = taken_events_;
  std::uint64_t kept_bytes = taken_bytes_ + record_bytes;
  for (std::size_t i = static_cast<std::size_t>(up_to) + 1; i < priorities; ++i) {
    kept_events += fifos_[i].events();
    kept_bytes += fifos_[i].bytes();
  }
  return kept_events < limits_.events_max && kept_bytes <= limits_.bytes_max;
}

bool EventQueue::evict(proto::Priority up_to) {
  for (std::size_t i = 0; i <= static_cast<std::size_t>(up_to); ++i) {
    if (fifos_[i].is_empty()) continue;
    if (has_record_origin_at(fifos_[i].front().data())) return false;
    fifos_[i].pop_front();
    note_removal(i);
    return true;
  }
  return false;
}

void EventQueue::push(proto::ByteView record, proto::Priority priority) {
  std::memcpy(add(record.size(), priority), record.data(), record.size());
}

std::uint8_t* EventQueue::add(std::size_t record_bytes, proto::Priority priority) {
  const auto fifo = static_cast<std::size_t>(priority);
  note_arrival(fifo);
  return fifos_[fifo].add(record_bytes);
}

std::uint64_t EventQueue::events() const {
  return fifos_[0].events() + fifos_[1].events() + fifos_[2].events();
}

std::uint64_t EventQueue::bytes() const {
  return fifos_[0].bytes() + fifos_[1].bytes() + fifos_[2].bytes();
}

std::size_t EventQueue::front_fifo() const {
  if (order_ == QueueOrder::by_arrival) return runs_.front().fifo;
  std::size_t fifo = priorities - 1;
  while (fifos_[fifo].is_empty()) --fifo;
  return fifo;
}

proto::ByteView EventQueue::front() const {
  return fifos_[front_fifo()].front();
}

void EventQueue::pop() {
  const std::size_t fifo = front_fifo();
  fifos_[fifo].pop_front();
  note_removal(fifo);
}

void EventQueue::take() {
  const std::size_t record_bytes = front().size();
  pop();
  ++taken_events_;
  taken_bytes_ += record_bytes;
}

void EventQueue::release(std::uint64_t events, std::uint64_t bytes) {
  taken_events_ -= events;
  taken_bytes_ -= bytes;
}

void EventQueue::note_arrival(std::size_t fifo) {
  if (order_ == QueueOrder::by_priority) return;
  const bool goes_on =
      !runs_.empty() && runs_.back().fifo == fifo && runs_.back().events < UINT32_MAX;
  if (goes_on) {
    ++runs_.back().events;
  } else {
    runs_.push_back({1, static_cast<std::uint32_t>(fifo)});
  }
}

/// The oldest of the fifo has left: the first run of that fifo which is not used up is shorter.
void EventQueue::note_removal(std::size_t fifo) {
  if (order_ == QueueOrder::by_priority) return;
  std::uint64_t& at = first_run_[fifo];
  at = std::max(at, runs_popped_);
  const auto run = [this](std::uint64_t number) -> Run& { return runs_[number - runs_popped_]; };
  while (run(at).fifo != fifo || run(at).events == 0) ++at;
  --run(at).events;
  while (!runs_.empty() && runs_.front().events == 0) {
    runs_.pop_front();
    ++runs_popped_;
  }
}

}  // namespace outrider::sidecar
