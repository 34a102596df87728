#include "sidecar/deliver/key_lanes.hpp"

#include <algorithm>

// A key has a lane exactly while it is blocked: something of it is on the way or set aside, or was
// passed over. A lane is in ready_ exactly while nothing of it is on the way and something is set
// aside. Numbers only grow, so the first of a map is its oldest event.

namespace outrider::sidecar {

bool KeyLanes::is_blocked(std::string_view key) const {
  return !key.empty() && lanes_.find(key) != lanes_.end();
}

void KeyLanes::set_aside(const RecordView& record, MonoTime arrived) {
  const auto lane = lanes_.find(record.key);
  lane->second.aside.emplace(
      ++last_number_,
      Aside{std::vector<std::uint8_t>(record.bytes.begin(), record.bytes.end()), arrived});
  ++events_;
  if (record.origin) return;
  const auto priority = static_cast<std::size_t>(record.priority);
  emitted_[priority].emplace(last_number_, lane);
  evictable_[priority] += {1, record.bytes.size()};
}

void KeyLanes::enter(const Batch& batch) {
  batch.for_each([this](const RecordView& record) {
    if (record.key.empty()) return;
    Lane& lane = lanes_[std::string(record.key)];
    if (lane.is_passed && is_at_rest(lane)) --resting_;
    ++lane.on_the_way;
  });
  // It took some of the ready events; the others wait for it. A batch empties one ready lane before
  // it begins the next, so only the first can have a rest.
  if (!ready_.empty() && ready_.front()->second.on_the_way > 0) ready_.pop_front();
}

void KeyLanes::leave(std::string_view key) {
  const auto lane = lanes_.find(key);
  if (lane == lanes_.end() || --lane->second.on_the_way > 0) return;
  lane->second.is_failing = false;
  if (lane->second.aside.empty()) {
    rest(lane);
  } else {
    ready_.push_back(lane);
  }
}

proto::ByteView KeyLanes::front() const {
  return ready_.front()->second.aside.begin()->second.record;
}

MonoTime KeyLanes::front_arrived() const {
  return ready_.front()->second.aside.begin()->second.arrived;
}

/// A lane that becomes empty is forgotten though its last events are in a batch that has not
/// entered yet. Until it enters, events of the key that follow in the queue join this same batch,
/// behind them; so the order holds.
void KeyLanes::pop_front() {
  Lane& lane = ready_.front()->second;
  const auto first = lane.aside.begin();
  count_out(first->first, first->second.record);
  lane.aside.erase(first);
  if (!lane.aside.empty()) return;
  if (lane.on_the_way == 0) rest(ready_.front());
  ready_.pop_front();
}

std::size_t KeyLanes::evict(proto::Priority priority) {
  const auto [number, lane] = *emitted_[static_cast<std::size_t>(priority)].begin();
  const auto event = lane->second.aside.find(number);
  const std::size_t bytes = event->second.record.size();
  count_out(number, event->second.record);
  lane->second.aside.erase(event);
  if (lane->second.aside.empty() && lane->second.on_the_way == 0) {
    // With nothing on the way it was ready.
    ready_.erase(std::ranges::find(ready_, lane));
    rest(lane);
  }
  return bytes;
}

/// Nothing of it is on its way, and nothing set aside.
void KeyLanes::rest(Lanes::iterator lane) {
  if (lane->second.is_passed) {
    ++resting_;
  } else {
    lanes_.erase(lane);
  }
}

void KeyLanes::note_failure(const Batch& batch) {
  batch.for_each([this](const RecordView& record) {
    if (const auto lane = lanes_.find(record.key); lane != lanes_.end()) {
      lane->second.is_failing = true;
    }
  });
}

bool KeyLanes::is_failing(std::string_view key) const {
  const auto lane = lanes_.find(key);
  return lane != lanes_.end() && lane->second.is_failing;
}

void KeyLanes::pass_over(std::string_view key) {
  lanes_.find(key)->second.is_passed = true;
}

bool KeyLanes::is_passed(std::string_view key) const {
  const auto lane = lanes_.find(key);
  return lane != lanes_.end() && lane->second.is_passed;
}

void KeyLanes::look_back() {
  std::erase_if(lanes_, [](const auto& entry) { return is_at_rest(entry.second); });
  for (auto& [key, lane] : lanes_) lane.is_passed = false;
  resting_ = 0;
}

void KeyLanes::clear() {
  for (auto& [key, lane] : lanes_) {
    lane.aside.clear();
    lane.is_passed = false;
  }
  std::erase_if(lanes_, [](const auto& entry) { return is_at_rest(entry.second); });
  ready_.clear();
  emitted_ = {};
  evictable_ = {};
  resting_ = 0;
  events_ = 0;
}

/// It is no longer set aside.
void KeyLanes::count_out(std::uint64_t number, proto::ByteView record) {
  --events_;
  if (has_record_origin_at(record.data())) return;
  const auto priority = static_cast<std::size_t>(record_priority_at(record.data()));
  emitted_[priority].erase(number);
  evictable_[priority] -= {1, record.size()};
}

}  // namespace outrider::sidecar
