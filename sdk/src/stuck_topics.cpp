#include "sdk/src/stuck_topics.hpp"

#include <algorithm>

#include "proto/msgpack_reader.hpp"

namespace outrider::sdk {
namespace {

/// Calls `take(topic)` for each event.
template <typename Take>
void for_each_topic(const Batch& batch, const Take& take) {
  proto::MsgpackReader reader(proto::as_bytes(batch.events));
  for (std::size_t left = batch.deliveries.size(); left > 0; --left) {
    const std::size_t begin = reader.offset();
    // Each was checked when it was delivered.
    static_cast<void>(reader.skip_value());
    take(topic_of(proto::as_bytes(batch.events).subspan(begin, reader.offset() - begin)));
  }
}

}  // namespace

void StuckTopics::add(const Batch& batch) {
  std::map<std::string, std::uint64_t, std::less<>> more;
  for_each_topic(batch, [&](std::string_view topic) { ++more[std::string(topic)]; });
  // From here on nothing fails.
  topics_.merge(more);
  for (const auto& [topic, events] : more) topics_.find(topic)->second += events;
  bytes_ += batch.cost();
}

void StuckTopics::remove(const Batch& batch) noexcept {
  for_each_topic(batch, [&](std::string_view topic) {
    const auto found = topics_.find(topic);
    if (found != topics_.end() && --found->second == 0) topics_.erase(found);
  });
  bytes_ -= batch.cost();
}

bool StuckTopics::holds(std::string_view topic) const {
  if (bytes_ == 0) return false;
  return topics_.find(topic) != topics_.end() ||
         std::ranges::any_of(full_, [&](const proto::TopicSet& set) { return set.holds(topic); });
}

}  // namespace outrider::sdk
