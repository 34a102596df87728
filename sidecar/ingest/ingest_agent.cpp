#include "sidecar/ingest/ingest_agent.hpp"

namespace outrider::sidecar {
namespace {

bool concerns_whole_frame(proto::Refusal refusal) {
  return refusal < proto::Refusal::event_shape;
}

}  // namespace

IngestCounters& IngestCounters::operator+=(const IngestCounters& other) {
  frames += other.frames;
  events += other.events;
  frames_refused += other.frames_refused;
  events_refused += other.events_refused;
  for (std::size_t i = 0; i < refused.size(); ++i) refused[i] += other.refused[i];
  return *this;
}

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
    ArrivedEvent event;
    const proto::Refusal event_refusal = records_.next(reader_, can_wait_, now, event);
    if (event_refusal != proto::Refusal::none) {
      refuse(event_refusal, now);
      continue;
    }
    ++counters_.events;
    sink_.accept(event, now);
  }
}

void IngestAgent::refuse(proto::Refusal refusal, const Now& now) {
  ++(concerns_whole_frame(refusal) ? counters_.frames_refused : counters_.events_refused);
  ++counters_.refused[static_cast<std::size_t>(refusal)];
  refusals_.note(refusal, reader_.header(), now);
}

}  // namespace outrider::sidecar
