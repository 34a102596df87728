#include "sidecar/ingest/record_maker.hpp"

namespace outrider::sidecar {

proto::Refusal RecordMaker::next(proto::FrameReader& reader, bool can_wait, const Now& now,
                                 ArrivedEvent& event) {
  proto::EventView view;
  const proto::Refusal refusal = reader.next(view);
  if (refusal != proto::Refusal::none) return refusal;
  const bool is_early = view.attributes.at_ns > now.wall_ns();
  // Sending it early would be worse than saying no.
  if (is_early && !can_wait) return proto::Refusal::event_scheduled;

  const Uuid id = ids_.next(now.wall_ns());
  const RecordContext context{id, reader.header().host, now};
  const std::size_t size = record_bytes(view, context);
  if (record_.size() < size) record_.resize(size);
  write_record(view, context, record_.data());
  event = {{record_.data(), size}, view.topic, is_early ? view.attributes.at_ns : 0};
  return proto::Refusal::none;
}

}  // namespace outrider::sidecar
