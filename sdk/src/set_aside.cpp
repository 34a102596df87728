#include "sdk/src/set_aside.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

namespace outrider::sdk {

void SetAside::add(std::span<const proto::ByteView> pieces, Delivery delivery, std::uint64_t oldest,
                   std::size_t bytes_max) {
  std::size_t bytes = 0;
  for (const proto::ByteView piece : pieces) bytes += piece.size();
  const auto topic = topics_.try_emplace(std::string(topic_of(pieces.front()))).first;
  if (in_line_.empty() || !in_line_.back().has_room(bytes, 1, bytes_max)) {
    in_line_.emplace_back().oldest = oldest;
  }
  Batch& batch = in_line_.back();
  batch.add(pieces, delivery, bytes_max);
  batch.oldest = std::min(batch.oldest, oldest);
  cost_ += bytes + Batch::delivery_bytes;
  ++topic->second;
}

std::uint64_t SetAside::oldest() const {
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
  for (const auto* batches : {&refused_, &in_line_, &tried_}) {
    for (const Batch& batch : *batches) oldest = std::min(oldest, batch.oldest);
  }
  return oldest;
}

void SetAside::take_over(SetAside&& other, bool again, std::size_t bytes_max) noexcept {
  cost_ += std::exchange(other.cost_, 0);
  std::list<Batch>& to = again ? tried_ : refused_;
  std::list<Batch>& from = other.in_line_;
  try {
    while (!to.empty() && !from.empty()) {
      const Batch& next = from.front();
      if (!to.back().has_room(next.events.size(), next.deliveries.size(), bytes_max)) break;
      to.back().add(next, bytes_max);
      from.pop_front();
    }
  } catch (const std::bad_alloc&) {
    // They need not be one.
  }
  to.splice(to.end(), from);
  topics_.merge(other.topics_);
  // What is left there is here already.
  for (const auto& [topic, events] : other.topics_) topics_.find(topic)->second += events;
  other.topics_.clear();
}

Batch SetAside::take() {
  Batch batch = std::move(refused_.front());
  refused_.pop_front();
  cost_ -= batch.cost();
  return batch;
}

void SetAside::forget(const Batch& batch) noexcept {
  EventWalk walk(batch);
  for (std::size_t i = 0; i < batch.deliveries.size(); ++i) {
    const auto topic = topics_.find(topic_of(walk.next()));
    if (topic != topics_.end() && --topic->second == 0) topics_.erase(topic);
  }
}

void SetAside::put_back(std::list<Batch>&& pieces) noexcept {
  for (const Batch& piece : pieces) cost_ += piece.cost();
  refused_.splice(refused_.begin(), pieces);
}

std::list<Batch> SetAside::clear() {
  begin_round();
  cost_ = 0;
  topics_.clear();
  return std::exchange(refused_, {});
}

}  // namespace outrider::sdk
