#include "sidecar/ingest/ingest_agent.hpp"

#include <utility>

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
  int work = is_inside_frame() ? 1 : 0;
  int frames = 0;
  std::uint64_t bytes = 0;
  TurnBudget budget;
  while (!budget.is_spent()) {
    if (is_inside_frame()) {
      take_events(budget, now);
      continue;
    }
    if (is_stopping_ || frames == frames_per_turn_max || bytes >= bytes_per_turn_max) break;
    const auto frame = source_.receive();
    if (!frame) break;
    open(*frame, now);
    bytes += frame->size();
    ++frames;
    ++work;
  }
  losses_.look(clients_, now);
  return work;
}

void IngestAgent::open(proto::ByteView frame, const Now& now) {
  ++counters_.frames;
  const proto::Refusal refusal = reader_.open(frame);
  if (refusal != proto::Refusal::none) {
    clients_.note_refused(reader_.header(), now);
    refuse(refusal, now);
    return;
  }
  clients_.note(reader_.header(), now);
  events_waiting_ = reader_.event_count();
}

void IngestAgent::take_events(TurnBudget& budget, const Now& now) {
  while (is_inside_frame() && !budget.is_spent()) {
    --events_waiting_;
    budget.spend(take_event(now));
  }
}

/// Events and copies that it took, for the budget.
std::size_t IngestAgent::take_event(const Now& now) {
  ArrivedEvent event;
  const proto::Refusal refusal = records_.next(reader_, can_wait_, now, event);
  if (refusal != proto::Refusal::none) {
    refuse(refusal, now);
    return 0;
  }
  if (event.is_before_2000) refusals_.note_early_time(reader_, now);
  ++counters_.events;
  return sink_.accept(event, now);
}

void IngestAgent::refuse_rest(const Now& now) {
  if (!is_inside_frame()) return;
  const std::uint64_t events = std::exchange(events_waiting_, 0);
  counters_.events_refused += events;
  counters_.refused[static_cast<std::size_t>(proto::Refusal::stopping)] += events;
  refusals_.note(proto::Refusal::stopping, reader_, now, {}, events);
}

void IngestAgent::refuse(proto::Refusal refusal, const Now& now) {
  counters_.refuse(refusal);
  refusals_.note(refusal, reader_, now);
}

}  // namespace outrider::sidecar
