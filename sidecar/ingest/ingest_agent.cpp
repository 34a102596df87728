#include "sidecar/ingest/ingest_agent.hpp"

namespace outrider::sidecar {
namespace {

constexpr Duration refusal_log_interval = std::chrono::seconds(10);

bool concerns_whole_frame(proto::Refusal refusal) {
  return refusal < proto::Refusal::event_shape;
}

}  // namespace

int IngestAgent::do_work(const Now& now) {
  int frames = 0;
  const std::uint64_t events_before = counters_.events;
  while (frames < frames_per_turn_max && counters_.events - events_before < events_per_turn_max) {
    const auto frame = source_.receive();
    if (!frame) break;
    take_frame(*frame, now);
    ++frames;
  }
  return frames;
}

void IngestAgent::take_frame(proto::ByteView frame, const Now& now) {
  ++counters_.frames;
  const proto::Refusal refusal = reader_.open(frame);
  if (refusal != proto::Refusal::none) {
    refuse(refusal, now);
    return;
  }
  clients_.note(reader_.header());
  for (std::size_t left = reader_.event_count(); left > 0; --left) {
    const proto::Refusal event_refusal = take_event(now);
    if (event_refusal != proto::Refusal::none) refuse(event_refusal, now);
  }
}

proto::Refusal IngestAgent::take_event(const Now& now) {
  proto::EventView event;
  const proto::Refusal refusal = reader_.next(event);
  if (refusal != proto::Refusal::none) return refusal;
  // Sending it early would be worse than saying no.
  if (event.attributes.at_ns > now.wall_ns()) return proto::Refusal::event_scheduled;

  const Uuid id = ids_.next(now.wall_ns());
  const RecordContext context{id, reader_.header().host, now};
  const std::size_t size = record_bytes(event, context);
  if (record_.size() < size) record_.resize(size);
  write_record(event, context, record_.data());
  ++counters_.events;
  sink_.accept({record_.data(), size}, event.topic, now);
  return proto::Refusal::none;
}

void IngestAgent::refuse(proto::Refusal refusal, const Now& now) {
  ++(concerns_whole_frame(refusal) ? counters_.frames_refused : counters_.events_refused);
  ++counters_.refused[static_cast<std::size_t>(refusal)];
  ++refused_untold_;
  if (now.mono < next_refusal_log_) return;
  const proto::RefusalRow row = proto::describe(refusal);
  log_.warn("refused", {{"reason", std::string(row.name)},
                        {"because", std::string(row.sentence)},
                        {"library", std::string(reader_.header().library)},
                        {"pid", std::to_string(reader_.header().pid)},
                        {"since_last_line", std::to_string(refused_untold_)}});
  refused_untold_ = 0;
  next_refusal_log_ = now.mono + refusal_log_interval;
}

}  // namespace outrider::sidecar
