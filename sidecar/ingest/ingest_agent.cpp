#include "sidecar/ingest/ingest_agent.hpp"

#include <algorithm>

namespace outrider::sidecar {
IngestCounters& IngestCounters::operator+=(const IngestCounters& other) {
  frames += other.frames;
  events += other.events;
  frames_refused += other.frames_refused;
  events_refused += other.events_refused;
  for (std::size_t i = 0; i < refused.size(); ++i) refused[i] += other.refused[i];
  return *this;
}

void IngestCounters::refuse(proto::Refusal refusal) {
  ++refused[static_cast<std::size_t>(refusal)];
  if (proto::is_for_later(static_cast<std::uint64_t>(refusal))) return;
  ++(proto::is_of_event(refusal) ? events_refused : frames_refused);
}

int IngestAgent::do_work(const Now& now) {
  int work = events_waiting_ > 0 ? 1 : 0;
  int frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t events_left = events_per_turn_max;
  while (events_left > 0) {
    if (events_waiting_ > 0) {
      const std::uint64_t events = std::min(events_waiting_, events_left);
      take_events(events, now);
      events_left -= events;
      continue;
    }
    if (frames == frames_per_turn_max || bytes >= bytes_per_turn_max) break;
    const auto frame = source_.receive();
    if (!frame) break;
    open(*frame, now);
    bytes += frame->size();
    ++frames;
    ++work;
  }
  return work;
}

void IngestAgent::open(proto::ByteView frame, const Now& now) {
  ++counters_.frames;
  const proto::Refusal refusal = reader_.open(frame);
  if (refusal != proto::Refusal::none) {
    refuse(refusal, now);
    return;
  }
  clients_.note(reader_.header(), now);
  events_waiting_ = reader_.event_count();
}

void IngestAgent::take_events(std::uint64_t events, const Now& now) {
  events_waiting_ -= events;
  for (; events > 0; --events) {
    ArrivedEvent event;
    const proto::Refusal refusal_of_event = records_.next(reader_, can_wait_, now, event);
    if (refusal_of_event != proto::Refusal::none) {
      refuse(refusal_of_event, now);
      continue;
    }
    if (event.is_before_2000) refusals_.note_early_time(reader_, now);
    ++counters_.events;
    sink_.accept(event, now);
  }
}

void IngestAgent::refuse(proto::Refusal refusal, const Now& now) {
  counters_.refuse(refusal);
  refusals_.note(refusal, reader_, now);
}

}  // namespace outrider::sidecar
