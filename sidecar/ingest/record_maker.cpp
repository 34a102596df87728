#include "sidecar/ingest/record_maker.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::uint64_t ms_in_ns = 1'000'000;

/// A time to live runs from the event's date, if it has one that is later than its time.
void count_ttl_from_date(proto::EventView& event, const Now& now) {
  proto::Attributes& attributes = event.attributes;
  const std::uint64_t time_ns = event.time_ns != 0 ? event.time_ns : now.wall_ns();
  if (attributes.ttl_ms == 0 || attributes.at_ns <= time_ns) return;
  const std::uint64_t wait_ms = (attributes.at_ns - time_ns) / ms_in_ns + 1;
  attributes.ttl_ms =
      attributes.ttl_ms > UINT64_MAX - wait_ms ? UINT64_MAX : attributes.ttl_ms + wait_ms;
}

}  // namespace

proto::Refusal RecordMaker::next(proto::FrameReader& reader, bool can_wait, const Now& now,
                                 ArrivedEvent& event) {
  proto::EventView view;
  const proto::Refusal refusal = reader.next(view);
  if (refusal != proto::Refusal::none) return refusal;
  const bool is_early = view.attributes.at_ns > now.wall_ns();
  // Sending it early would be worse than saying no.
  if (is_early && !can_wait) return proto::Refusal::event_scheduled;

  if (view.attributes.at_ns != 0) count_ttl_from_date(view, now);

  const Uuid id = ids_.next(now.wall_ns());
  const RecordContext context{id, reader.header().host, now};
  const std::size_t size = record_bytes(view, context);
  if (record_.size() < size) record_.resize(size);
  write_record(view, context, record_.data());
  // One by one: put together first and copied then, they cost a tenth of all that is done here.
  event.record = {record_.data(), size};
  event.topic = view.topic;
  event.due_ns = is_early ? view.attributes.at_ns : 0;
  event.is_before_2000 = view.time_ns - 1 < proto::year_2000_ns - 1;  // a time of 0 is none
  return proto::Refusal::none;
}

}  // namespace outrider::sidecar
