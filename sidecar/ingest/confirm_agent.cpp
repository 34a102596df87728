#include "sidecar/ingest/confirm_agent.hpp"

#include <algorithm>
#include <utility>

namespace outrider::sidecar {

int ConfirmAgent::do_work(const Now& now) {
  int work = is_open_ ? 1 : 0;
  int frames = 0;
  std::uint64_t bytes = 0;
  TurnBudget budget;
  while (!budget.is_spent()) {
    if (is_open_) {
      take_events(budget, now);
      continue;
    }
    if (frames == frames_per_turn_max || bytes >= bytes_per_turn_max || sink_.is_busy()) break;
    const auto frame = source_.receive();
    if (!frame) break;
    open(*frame, now);
    bytes += frame->frame.size();
    ++frames;
    ++work;
  }
  return work;
}

void ConfirmAgent::refuse_all(const Now& now) {
  is_stopping_ = true;
  if (is_open_) refuse_frame(proto::Refusal::stopping, now);
}

void ConfirmAgent::open(const PeerFrame& peer_frame, const Now& now) {
  ++counters_.frames;
  proto::Refusal refusal = reader_.open(peer_frame.frame);
  const proto::FrameHeader& header = reader_.header();
  frame_ = {};
  frame_.peer = peer_frame.peer;
  frame_.sequence = header.sequence;
  if (refusal == proto::Refusal::none && (header.client_id.empty() || header.sequence == 0)) {
    refusal = proto::Refusal::frame_unnumbered;
  }
  if (refusal == proto::Refusal::none && is_stopping_) refusal = proto::Refusal::stopping;
  if (refusal != proto::Refusal::none) return refuse_frame(refusal, now);
  std::copy(header.client_id.begin(), header.client_id.end(), frame_.client.begin());
  next_event_ = 0;
  is_open_ = true;
}

void ConfirmAgent::take_events(TurnBudget& budget, const Now& now) {
  for (; next_event_ < reader_.event_count(); ++next_event_) {
    if (budget.is_spent()) return;
    const proto::Refusal refusal = take_event(budget, now);
    if (refusal != proto::Refusal::none) return refuse_frame(refusal, now);
  }
  is_open_ = false;
  sink_.add_frame(std::exchange(frame_, {}));
}

/// Says why the whole frame is to be refused, if it is.
proto::Refusal ConfirmAgent::take_event(TurnBudget& budget, const Now& now) {
  ArrivedEvent event;
  std::size_t work = 0;
  proto::Refusal refusal = records_.next(reader_, true, now, event);
  if (refusal == proto::Refusal::none) {
    if (event.is_before_2000) refusals_.note_early_time(reader_, now);
    refusal = sink_.add_event(event, now, work);
  }
  budget.spend(work);
  return refusal == proto::Refusal::none ? refusal : leave_out(refusal, now);
}

proto::Refusal ConfirmAgent::leave_out(proto::Refusal refusal, const Now& now) {
  if (!proto::is_of_event(refusal)) return refusal;
  if (frame_.refused.size() == proto::refused_events_max) return proto::Refusal::frame_refusals;
  const bool is_for_later = proto::is_for_later(static_cast<std::uint64_t>(refusal));
  // Left-out events of a frame are remembered only up to this number.
  if (is_for_later && reader_.event_count() > proto::refused_events_max) return refusal;
  frame_.refused.push_back({next_event_, static_cast<std::uint32_t>(refusal)});
  refusals_.note(refusal, reader_, now, is_for_later ? sink_.full_destination() : "");
  return proto::Refusal::none;
}

void ConfirmAgent::refuse_frame(proto::Refusal refusal, const Now& now) {
  if (std::exchange(is_open_, false)) sink_.drop_frame();
  counters_.refuse(refusal);
  if (refusal != proto::Refusal::stopping) {
    const bool is_full = refusal == proto::Refusal::destination_full;
    refusals_.note(refusal, reader_, now, is_full ? sink_.full_destination() : "");
  }
  // Without a number there is nobody to answer: the sender does not wait.
  if (frame_.sequence == 0) return;
  send(frame_.peer, {.sequence = frame_.sequence, .status = static_cast<std::uint64_t>(refusal)});
}

void ConfirmAgent::answer(const std::string& peer, std::uint64_t sequence, proto::Refusal status,
                          const std::vector<proto::RefusedEvent>& refused, bool is_new,
                          std::uint64_t events) {
  if (status != proto::Refusal::none) {
    ++confirmed_.frames_refused;
  } else {
    ++(is_new ? confirmed_.frames : confirmed_.frames_again);
  }
  if (is_new) {
    counters_.events += events;
    confirmed_.events += events;
    for (const proto::RefusedEvent& event : refused) {
      counters_.refuse(static_cast<proto::Refusal>(event.refusal));
    }
  }
  proto::ConfirmAnswer answer{.sequence = sequence, .status = static_cast<std::uint64_t>(status)};
  if (status == proto::Refusal::none) answer.refused = refused;
  send(peer, answer);
}

void ConfirmAgent::send(const std::string& peer, const proto::ConfirmAnswer& answer) {
  proto::ConfirmAnswer with_limits = answer;
  with_limits.limits = {limits_.frame_bytes_max, limits_.event_bytes_max};
  constexpr auto full = static_cast<std::uint32_t>(proto::Refusal::destination_full);
  const bool is_put_off = answer.status == full ||
                          std::ranges::find(answer.refused, full, &proto::RefusedEvent::refusal) !=
                              answer.refused.end();
  if (is_put_off) with_limits.full = sink_.full_destinations();
  source_.answer(peer, proto::write_confirm_answer(with_limits));
}

}  // namespace outrider::sidecar
