#include "sdk/src/batch.hpp"

#include <algorithm>

#include "proto/msgpack_reader.hpp"

namespace outrider::sdk {

void Batch::reserve(std::size_t bytes, std::size_t count, std::size_t bytes_max) {
  const std::size_t size = events.size() + bytes;
  if (size > events.capacity()) {
    events.reserve(std::max(size, std::min(2 * events.capacity(), bytes_max)));
  }
  const std::size_t deliveries_count = deliveries.size() + count;
  if (deliveries_count > deliveries.capacity()) {
    deliveries.reserve(std::max(deliveries_count, 2 * deliveries.capacity()));
  }
}

void Batch::add(std::span<const proto::ByteView> pieces, Delivery delivery, std::size_t bytes_max) {
  std::size_t bytes = 0;
  for (const proto::ByteView piece : pieces) bytes += piece.size();
  reserve(bytes, 1, bytes_max);
  for (const proto::ByteView piece : pieces) events.append(proto::as_text(piece));
  deliveries.push_back(delivery);
}

void Batch::add(const Batch& other, std::size_t bytes_max) {
  reserve(other.events.size(), other.deliveries.size(), bytes_max);
  events.append(other.events);
  deliveries.insert(deliveries.end(), other.deliveries.begin(), other.deliveries.end());
  oldest = std::min(oldest, other.oldest);
}

proto::ByteView EventWalk::next() {
  proto::MsgpackReader reader(left_);
  const bool is_whole = reader.skip_value() == proto::ReadStatus::ok;
  const proto::ByteView event = is_whole ? left_.first(reader.offset()) : left_;
  left_ = left_.subspan(event.size());
  return event;
}

std::string_view topic_of(proto::ByteView event) {
  proto::MsgpackReader reader(event);
  proto::Token token;
  if (reader.next(token) != proto::ReadStatus::ok) return {};
  if (reader.next(token) != proto::ReadStatus::ok) return {};
  return proto::as_text(token.bytes);
}

std::list<Batch> halves(const Batch& batch) {
  const std::size_t middle = batch.deliveries.size() / 2;
  std::size_t bytes = 0;
  EventWalk walk(batch);
  for (std::size_t i = 0; i < middle; ++i) bytes += walk.next().size();
  const auto cut = batch.deliveries.begin() + static_cast<std::ptrdiff_t>(middle);
  std::list<Batch> both(2);
  both.front() = {batch.events.substr(0, bytes), {batch.deliveries.begin(), cut}, batch.oldest};
  both.back() = {batch.events.substr(bytes), {cut, batch.deliveries.end()}, batch.oldest};
  return both;
}

}  // namespace outrider::sdk
