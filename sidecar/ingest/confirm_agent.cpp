#include "sidecar/ingest/confirm_agent.hpp"

#include <algorithm>

namespace outrider::sidecar {

int ConfirmAgent::do_work(const Now& now) {
  int frames = 0;
  const std::uint64_t events_before = counters_.events;
  while (frames < frames_per_turn_max && counters_.events - events_before < events_per_turn_max &&
         !sink_.is_busy()) {
    const auto frame = source_.receive();
    if (!frame) break;
    take_frame(*frame, now);
    ++frames;
  }
  return frames;
}

void ConfirmAgent::take_frame(const PeerFrame& peer_frame, const Now& now) {
  ++counters_.frames;
  proto::Refusal refusal = reader_.open(peer_frame.frame);
  const proto::FrameHeader& header = reader_.header();
  if (refusal == proto::Refusal::none && (header.client_id.empty() || header.sequence == 0)) {
    refusal = proto::Refusal::frame_unnumbered;
  }
  if (refusal == proto::Refusal::none && is_stopping_) refusal = proto::Refusal::stopping;
  if (refusal == proto::Refusal::none) {
    FrameToConfirm frame;
    frame.peer = peer_frame.peer;
    std::copy(header.client_id.begin(), header.client_id.end(), frame.client.begin());
    frame.sequence = header.sequence;
    refusal = add_events(frame, now);
    if (refusal == proto::Refusal::none) {
      sink_.add_frame(std::move(frame));
      return;
    }
    sink_.drop_frame();
  }
  refuse_frame(peer_frame, refusal, now);
}

proto::Refusal ConfirmAgent::add_events(FrameToConfirm& frame, const Now& now) {
  const auto events = static_cast<std::uint32_t>(reader_.event_count());
  for (std::uint32_t index = 0; index < events; ++index) {
    ArrivedEvent event;
    const proto::Refusal refusal = records_.next(reader_, true, now, event);
    if (refusal != proto::Refusal::none) {
      ++counters_.events_refused;
      ++counters_.refused[static_cast<std::size_t>(refusal)];
      refusals_.note(refusal, reader_.header(), now);
      frame.refused.push_back({index, static_cast<std::uint32_t>(refusal)});
      continue;
    }
    if (!sink_.add_event(event, now)) return proto::Refusal::spool_full;
    ++counters_.events;
  }
  return proto::Refusal::none;
}

void ConfirmAgent::refuse_frame(const PeerFrame& peer_frame, proto::Refusal refusal,
                                const Now& now) {
  ++counters_.frames_refused;
  ++counters_.refused[static_cast<std::size_t>(refusal)];
  if (refusal != proto::Refusal::stopping) refusals_.note(refusal, reader_.header(), now);
  // Without a number there is nobody to answer: the sender does not wait for one.
  const std::uint64_t sequence = reader_.header().sequence;
  if (sequence == 0) return;
  source_.answer(peer_frame.peer,
                 proto::write_confirm_answer({sequence, static_cast<std::uint64_t>(refusal)}));
}

}  // namespace outrider::sidecar
