#include "sdk/src/batch.hpp"

#include "proto/msgpack_reader.hpp"
#include "proto/refusal.hpp"

namespace outrider::sdk {
namespace {

/// Copies events out of a batch, in ascending order.
class Copier {
 public:
  explicit Copier(const Batch& from) : from_(from), reader_(proto::as_bytes(from.events)) {
    to_.first_event = from.first_event;
    to_.refusals = from.refusals;
    to_.is_stuck = from.is_stuck;
    to_.is_unsure = from.is_unsure;
    to_.may_be_taken = from.may_be_taken;
  }

  void copy(std::uint32_t index) {
    // Each was checked when it was delivered.
    static_cast<void>(reader_.skip_values(index - next_));
    const std::size_t begin = reader_.offset();
    static_cast<void>(reader_.skip_value());
    to_.events.append(from_.events, begin, reader_.offset() - begin);
    to_.deliveries.push_back(from_.deliveries[index]);
    next_ = index + 1;
  }

  Batch take() { return std::move(to_); }

 private:
  const Batch& from_;
  proto::MsgpackReader reader_;
  Batch to_;
  std::uint32_t next_ = 0;
};

}  // namespace

std::string_view topic_of(proto::ByteView event) {
  proto::MsgpackReader reader(event);
  proto::Token token;
  if (reader.next(token) != proto::ReadStatus::ok) return {};
  if (reader.next(token) != proto::ReadStatus::ok) return {};
  return proto::as_text(token.bytes);
}

Batch part_of(const Batch& batch, std::uint32_t from, std::uint32_t to) {
  Copier copier(batch);
  for (std::uint32_t i = from; i < to; ++i) copier.copy(i);
  return copier.take();
}

Batch refused_for_now(const Batch& batch, const std::vector<proto::RefusedEvent>& refused) {
  Copier copier(batch);
  for (const proto::RefusedEvent& event : refused) {
    if (proto::is_for_later(event.refusal)) copier.copy(event.index);
  }
  return copier.take();
}

}  // namespace outrider::sdk
