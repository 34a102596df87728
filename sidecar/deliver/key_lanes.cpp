#include "sidecar/deliver/key_lanes.hpp"

#include <algorithm>

namespace outrider::sidecar {

bool KeyLanes::is_blocked(std::string_view key) const {
  return !key.empty() && lanes_.find(key) != lanes_.end();
}

void KeyLanes::set_aside(const RecordView& record) {
  const auto lane = lanes_.find(record.key);
  lane->second.aside.emplace(++last_number_,
                             std::vector<std::uint8_t>(record.bytes.begin(), record.bytes.end()));
  ++events_;
  if (record.origin) return;
  const auto priority = static_cast<std::size_t>(record.priority);
  emitted_[priority].emplace(last_number_, lane);
  evictable_[priority] += {1, record.bytes.size()};
}

void KeyLanes::enter(const Batch& batch) {
  batch.for_each([this](const RecordView& record) {
    if (!record.key.empty()) ++lanes_[std::string(record.key)].on_the_way;
  });
  // It took a part of what was ready; the rest waits for it.
  if (!ready_.empty() && ready_.front()->second.on_the_way > 0) ready_.pop_front();
}

void KeyLanes::leave(std::string_view key) {
  const auto lane = lanes_.find(key);
  if (lane == lanes_.end() || --lane->second.on_the_way > 0) return;
  if (lane->second.aside.empty()) {
    lanes_.erase(lane);
  } else {
    ready_.push_back(lane);
  }
}

proto::ByteView KeyLanes::front() const {
  return ready_.front()->second.aside.begin()->second;
}

void KeyLanes::pop_front() {
  Lane& lane = ready_.front()->second;
  const auto first = lane.aside.begin();
  count_out(first->first, first->second);
  lane.aside.erase(first);
  if (!lane.aside.empty()) return;
  if (lane.on_the_way == 0) lanes_.erase(ready_.front());
  ready_.pop_front();
}

std::size_t KeyLanes::evict(proto::Priority priority) {
  const auto [number, lane] = *emitted_[static_cast<std::size_t>(priority)].begin();
  const auto event = lane->second.aside.find(number);
  const std::size_t bytes = event->second.size();
  count_out(number, event->second);
  lane->second.aside.erase(event);
  if (lane->second.aside.empty() && lane->second.on_the_way == 0) {
    ready_.erase(std::ranges::find(ready_, lane));
    lanes_.erase(lane);
  }
  return bytes;
}

/// It is set aside no more.
void KeyLanes::count_out(std::uint64_t number, proto::ByteView record) {
  --events_;
  if (has_record_origin_at(record.data())) return;
  const auto priority = static_cast<std::size_t>(record_priority_at(record.data()));
  emitted_[priority].erase(number);
  evictable_[priority] -= {1, record.size()};
}

}  // namespace outrider::sidecar
