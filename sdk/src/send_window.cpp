#include "sdk/src/send_window.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "proto/frame_writer.hpp"
#include "proto/refusal.hpp"
#include "sdk/src/obstacles.hpp"

namespace outrider::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int answers_a_turn_max = 64;
/// A size that every sidecar reads; for a larger frame it has to be asked.
constexpr std::size_t frame_bytes_unasked_max = std::size_t{1} << 20U;

/// Refusals of a whole frame whose events may be taken when they come in smaller ones.
bool is_for_smaller(std::uint64_t status) {
  return status == static_cast<std::uint64_t>(proto::Refusal::frame_too_large) ||
         status == static_cast<std::uint64_t>(proto::Refusal::frame_copies) ||
         status == static_cast<std::uint64_t>(proto::Refusal::frame_refusals);
}

}  // namespace

bool SendWindow::start() {
  // Without its own id, frames of this client would be mistaken for those of an earlier one.
  if (!identity_.make()) return false;
  random_.seed(identity_.client_id[0] + 256U * identity_.client_id[1] + 1U);
  return true;
}

bool SendWindow::receive_answers() {
  bool has_answers = false;
  for (int left = answers_a_turn_max; left > 0 && link_.receive(message_); --left) {
    has_answers |= take_answer(proto::as_bytes(message_));
  }
  return has_answers;
}

bool SendWindow::take_answer(proto::ByteView message) {
  // A message that is not an answer to one of our frames is ignored: the frame stays and is sent
  // again.
  if (!proto::read_confirm_answer(message, answer_) || answer_.sequence < first_sequence_ ||
      answer_.sequence - first_sequence_ >= frames_.size()) {
    return false;
  }
  Frame& frame = frames_[answer_.sequence - first_sequence_];
  if (frame.state != FrameState::in_flight) return false;
  if (!answer_.refused.empty() && answer_.refused.back().index >= frame.event_count) return false;
  take_limits();
  refusal_for_now_ = 0;
  if (answer_.status == 0) {
    take_partly(frame);
  } else if (proto::is_for_later(answer_.status)) {
    note_refusal(answer_.status);
    refusal_for_now_ = answer_.status;
    refuse_for_now(frame);
  } else {
    refuse(frame, static_cast<std::uint32_t>(answer_.status));
  }
  --frames_in_flight_;
  return true;
}

void SendWindow::take_limits() {
  limits_ = answer_.limits;
  events_.set_limits(limits_);
  if (limits_state_ == Limits::known) return;
  limits_state_ = Limits::known;
  for (Frame& frame : frames_) {
    if (frame.state == FrameState::waiting) frame.state = FrameState::unsent;
  }
}

void SendWindow::take_partly(Frame& frame) {
  if (!answer_.refused.empty()) note_refusal(answer_.refused.back().refusal);
  Batch again = refused_for_now(frame.batch, answer_.refused);
  std::size_t kept_bytes = 0;
  if (!again.deliveries.empty()) {
    refusal_for_now_ = static_cast<std::uint64_t>(proto::Refusal::destination_full);
    again.is_stuck = true;
    // The frame is taken, and these are not.
    again.is_unsure = again.may_be_taken = false;
    again.due = steady_clock::now() +
                backoff(options_.backoff_initial, options_.backoff_max, again.refusals++);
    kept_bytes = again.cost();
    postponed_.push_back(std::move(again));
    try {
      events_.add_stuck(postponed_.back(), std::move(answer_.full));
    } catch (const std::bad_alloc&) {
      postponed_.pop_back();
      throw;
    }
  }
  settle(frame, OUTRIDER_OK, answer_.refused, kept_bytes);
}

void SendWindow::refuse_for_now(Frame& frame) {
  events_.count_as(frame.batch.is_unsure, frame.batch);
  frame.was_refused = true;
  frame.state = FrameState::unsent;
  frame.due = steady_clock::now() +
              backoff(options_.backoff_initial, options_.backoff_max, frame.batch.refusals++);
}

void SendWindow::refuse(Frame& frame, std::uint32_t refusal) {
  events_.count_as(frame.batch.is_unsure, frame.batch);
  // Refused before because it came too early, and now too late: nothing of it was taken.
  const bool is_late = refusal == static_cast<std::uint32_t>(proto::Refusal::frame_sequence_old);
  if (is_late && frame.was_refused && !frame.is_unsure) return send_as_new(frame);
  const std::uint32_t half = frame.event_count / 2;
  if (!is_for_smaller(refusal) || half == 0) {
    note_refusal(refusal);
    return settle(frame, OUTRIDER_REFUSED);
  }
  Batch first = part_of(frame.batch, 0, half);
  Batch second = part_of(frame.batch, half, frame.event_count);
  postponed_.push_back(std::move(first));
  try {
    postponed_.push_back(std::move(second));
  } catch (const std::bad_alloc&) {
    postponed_.pop_back();
    throw;
  }
  frame.batch = {};
  frame.state = FrameState::answered;
}

void SendWindow::send_as_new(Frame& frame) {
  postponed_.push_back(std::move(frame.batch));
  postponed_.back().due = {};
  frame.batch = {};
  frame.state = FrameState::answered;
}

void SendWindow::settle(Frame& frame, outrider_status status,
                        std::span<const proto::RefusedEvent> refused, std::size_t kept_bytes) {
  frame.state = FrameState::answered;
  events_.settle(std::exchange(frame.batch, {}), status, refused, kept_bytes);
}

milliseconds SendWindow::backoff(milliseconds initial, milliseconds max, std::uint32_t times) {
  constexpr std::uint32_t doublings_max = 16;
  const milliseconds longest = std::min(max, initial * (1U << std::min(times, doublings_max)));
  // Between half of it and all of it, so that many clients do not come back at once.
  std::uniform_int_distribution<milliseconds::rep> jitter(longest.count() / 2, longest.count());
  return milliseconds(jitter(random_));
}

bool SendWindow::is_answer_late(SteadyTime now) const {
  return frames_in_flight_ > 0 && std::ranges::any_of(frames_, [&](const Frame& frame) {
           return frame.state == FrameState::in_flight && now >= frame.due;
         });
}

void SendWindow::lose_connection(SteadyTime now) {
  refusal_for_now_ = 0;
  for (Frame& frame : frames_) {
    if (frame.state == FrameState::in_flight) frame.is_unsure = frame.batch.is_unsure = true;
    if (frame.state != FrameState::answered) frame.state = FrameState::unsent;
    frame.due = now;
  }
  frames_in_flight_ = 0;
  // Another sidecar may come, or the same one with other limits.
  limits_state_ = Limits::unknown;
  events_.forget_sidecar();
}

bool SendWindow::send_due() {
  const SteadyTime now = steady_clock::now();
  // By their places: a frame may be added meanwhile.
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    if (frames_in_flight_ == frames_in_flight_max) return true;
    if (frames_[i].state != FrameState::unsent || now < frames_[i].due) continue;
    if (!send(frames_[i], now)) return false;
  }
  while (has_place() && make_frame(now)) {
    if (!send(frames_.back(), now)) return false;
  }
  if (limits_state_ == Limits::wanted && frames_.size() < proto::confirm_window_frames) {
    Frame& question = add_frame();
    limits_state_ = Limits::asked;
    return send(question, now);
  }
  return true;
}

bool SendWindow::make_frame(SteadyTime now) {
  const auto due = std::ranges::find_if(postponed_, [&](const Batch& b) { return b.due <= now; });
  const bool has_new = events_.has_waiting();
  // In turns: events that are refused again and again must not keep others waiting.
  is_turn_of_new_ = has_new && !is_turn_of_new_;
  if (is_turn_of_new_ || (has_new && due == postponed_.end())) {
    // First the frame, which may find no memory, and then the events.
    Frame& frame = add_frame();
    frame.batch = events_.take_first();
  } else if (due != postponed_.end()) {
    add_frame().batch = std::move(*due);
    postponed_.erase(due);
  } else {
    return false;
  }
  frames_.back().event_count = static_cast<std::uint32_t>(frames_.back().batch.deliveries.size());
  return true;
}

SendWindow::Frame& SendWindow::add_frame() {
  Frame& frame = frames_.emplace_back();
  frame.sequence = first_sequence_ + frames_.size() - 1;
  return frame;
}

bool SendWindow::send(Frame& frame, SteadyTime now) {
  const std::string head = proto::frame_head(identity_.header(frame.sequence), frame.event_count);
  const std::string& events = frame.batch.events;
  if (!can_be_read(frame, head.size() + events.size())) return true;
  std::uint8_t* const out = link_.make_frame(head.size() + events.size());
  if (out == nullptr) throw std::bad_alloc();
  std::ranges::copy(events, std::ranges::copy(head, out).out);
  // Before anybody can see the frame.
  events_.count_as(true, frame.batch);
  if (!link_.send()) {
    events_.count_as(frame.batch.is_unsure, frame.batch);
    return false;
  }
  frame.state = FrameState::in_flight;
  frame.due = now + options_.answer_timeout;
  ++frames_in_flight_;
  return true;
}

bool SendWindow::can_be_read(Frame& frame, std::size_t bytes) {
  if (limits_state_ != Limits::known) {
    // Another sidecar is probably as the last one was.
    const std::uint64_t last_max = limits_.frame_bytes_max;
    if (bytes <= frame_bytes_unasked_max && (last_max == 0 || bytes <= last_max)) return true;
    if (limits_state_ == Limits::unknown) limits_state_ = Limits::wanted;
    frame.state = FrameState::waiting;
    return false;
  }
  if (limits_.frame_bytes_max == 0 || bytes <= limits_.frame_bytes_max) return true;
  refuse(frame, static_cast<std::uint32_t>(proto::Refusal::frame_too_large));
  return false;
}

void SendWindow::forget_answered() {
  while (!frames_.empty() && frames_.front().state == FrameState::answered) {
    frames_.pop_front();
    ++first_sequence_;
  }
  events_.note_answered(first_unanswered());
}

std::uint64_t SendWindow::first_unanswered() const {
  std::uint64_t first = UINT64_MAX;
  for (const Batch& batch : postponed_) first = std::min(first, batch.first_event);
  for (const Frame& frame : frames_) {
    if (frame.state == FrameState::answered || frame.event_count == 0) continue;
    first = std::min(first, frame.batch.first_event);
  }
  return first;
}

bool SendWindow::has_place() const {
  return frames_in_flight_ < frames_in_flight_max && frames_.size() < proto::confirm_window_frames;
}

SteadyTime SendWindow::next_due() const {
  SteadyTime next = SteadyTime::max();
  for (const Frame& frame : frames_) {
    if (frame.state == FrameState::answered || frame.state == FrameState::waiting) continue;
    const bool counts =
        frame.state == FrameState::in_flight || frames_in_flight_ < frames_in_flight_max;
    if (counts) next = std::min(next, frame.due);
  }
  if (!has_place()) return next;
  for (const Batch& batch : postponed_) next = std::min(next, batch.due);
  return next;
}

const char* SendWindow::obstacle() const {
  if (refusal_for_now_ == 0) return obstacles::no_answer_yet;
  const auto* const row = std::ranges::find_if(proto::refusals, [&](const auto& it) {
    return static_cast<std::uint64_t>(it.refusal) == refusal_for_now_;
  });
  // The sentences are literals, and end in a zero byte.
  return row == proto::refusals.end() ? obstacles::refuses_now : row->sentence.data();
}

void SendWindow::expire() {
  for (Frame& frame : frames_) {
    if (frame.state != FrameState::answered) settle(frame, OUTRIDER_TIMEOUT);
  }
  while (!postponed_.empty()) {
    Batch batch = std::move(postponed_.front());
    postponed_.pop_front();
    events_.settle(std::move(batch), OUTRIDER_TIMEOUT, {}, 0);
  }
}

}  // namespace outrider::sdk
