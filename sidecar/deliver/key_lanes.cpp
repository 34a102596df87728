#include "sidecar/deliver/key_lanes.hpp"

namespace outrider::sidecar {

bool KeyLanes::is_blocked(std::string_view key) const {
  return !key.empty() && lanes_.find(key) != lanes_.end();
}

void KeyLanes::set_aside(const RecordView& record) {
  lanes_.find(record.key)->second.aside.emplace_back(record.bytes.begin(), record.bytes.end());
  ++events_;
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
  return ready_.front()->second.aside.front();
}

void KeyLanes::pop_front() {
  Lane& lane = ready_.front()->second;
  lane.aside.pop_front();
  --events_;
  if (!lane.aside.empty()) return;
  if (lane.on_the_way == 0) lanes_.erase(ready_.front());
  ready_.pop_front();
}

}  // namespace outrider::sidecar
