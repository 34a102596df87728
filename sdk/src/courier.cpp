#include "sdk/src/courier.hpp"

#include <algorithm>
#include <utility>

#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "proto/frame_writer.hpp"
#include "proto/refusal.hpp"

namespace outrider::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds no_socket_retry{1000};
constexpr milliseconds no_memory_retry{100};
constexpr int answers_a_turn_max = 64;
/// Every sidecar answers frames of this size; larger ones may end the connection without an answer.
constexpr std::size_t unasked_bytes_max = 1U << 20U;

/// Nothing of the frame was taken, and its events may be in smaller ones.
bool is_of_size(std::uint64_t status) {
  using proto::Refusal;
  return status == static_cast<std::uint64_t>(Refusal::frame_too_large) ||
         status == static_cast<std::uint64_t>(Refusal::frame_copies) ||
         status == static_cast<std::uint64_t>(Refusal::frame_refusals);
}

std::size_t total_bytes(std::span<const proto::ByteView> pieces) {
  std::size_t bytes = 0;
  for (const proto::ByteView piece : pieces) bytes += piece.size();
  return bytes;
}

}  // namespace

Courier::Courier(const CourierOptions& options) : options_(options), link_(options.link) {}

Courier::~Courier() {
  if (thread_.joinable()) thread_.join();
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

bool Courier::start() {
  if (wake_fd_ < 0) wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) return false;
  // Without an id of its own, what this client sends would pass for what another has sent before.
  const auto id_bytes = static_cast<ssize_t>(client_id_.size());
  if (getrandom(client_id_.data(), client_id_.size(), 0) != id_bytes) return false;
  random_.seed(client_id_[0] + 256U * client_id_[1] + 1U);
  host_ = host_name();
  thread_ = start_worker([this] { run(); });
  return thread_.joinable();
}

std::size_t Courier::batch_bytes_max() const {
  std::size_t bytes = options_.frame_bytes_max;
  const std::uint64_t said = said_frame_bytes_max_.load(std::memory_order_relaxed);
  if (said != 0) bytes = std::min<std::size_t>(bytes, std::max(said, 2 * frame_head_bytes_max));
  return bytes - frame_head_bytes_max;
}

outrider_status Courier::deliver(std::span<const proto::ByteView> pieces, Delivery delivery) {
  const std::size_t bytes = total_bytes(pieces);
  const std::size_t cost = bytes + Batch::delivery_bytes;
  const std::uint64_t said = said_event_bytes_max_.load(std::memory_order_relaxed);
  if (cost > options_.bytes_max || (said != 0 && bytes > said)) return OUTRIDER_TOO_LARGE;
  bool is_asleep = false;
  {
    const std::lock_guard guard(mutex_);
    if (is_closing_) return OUTRIDER_CLOSED;
    if (held_bytes_ + cost > options_.bytes_max) return OUTRIDER_FULL;
    const std::uint64_t number = counts_.taken_events + 1;
    if (aside_.has_topic(topic_of(pieces.front()))) {
      if (aside_.cost() + cost > options_.bytes_max / 2) return OUTRIDER_FULL;
      aside_.add(pieces, delivery, number, batch_bytes_max());
    } else {
      if (waiting_.empty() || !waiting_.back().has_room(bytes, 1, batch_bytes_max())) {
        waiting_.emplace_back().oldest = number;
      }
      waiting_.back().add(pieces, delivery, batch_bytes_max());
      is_asleep = std::exchange(is_asleep_, false);
    }
    held_bytes_ += cost;
    ++counts_.taken_events;
  }
  if (is_asleep) wake();
  return OUTRIDER_OK;
}

bool Courier::flush(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  const std::uint64_t taken = counts_.taken_events;
  changed_.wait_until(lock, deadline, [&] { return answered_in_order_ >= taken || is_finished_; });
  return answered_in_order_ >= taken;
}

void Courier::close(SteadyTime deadline) {
  {
    const std::lock_guard guard(mutex_);
    if (!is_closing_) deadline_ = deadline;
    is_closing_ = true;
  }
  wake();
}

bool Courier::close_wait() {
  std::unique_lock lock(mutex_);
  // The thread hangs in libzmq after that at the earliest. A confirm function that closes, though
  // it must not, does not wait for itself.
  if (thread_.get_id() != std::this_thread::get_id()) {
    changed_.wait(lock, [&] { return is_settled_; });
  }
  changed_.wait_until(lock, deadline_ + close_margin, [&] { return is_finished_; });
  return is_finished_ && counts_.expired_events == 0;
}

bool Courier::is_finished() {
  const std::lock_guard guard(mutex_);
  return is_finished_;
}

CourierCounts Courier::counts() {
  const std::lock_guard guard(mutex_);
  CourierCounts counts = counts_;
  counts.unconfirmed_events =
      counts.taken_events - counts.confirmed_events - counts.refused_events - counts.expired_events;
  counts.unconfirmed_bytes = held_bytes_;
  return counts;
}

void Courier::abandon(Courier* courier) {
  // Kept where leak checkers find it.
  static Courier* first_abandoned = nullptr;
  courier->next_abandoned_ = first_abandoned;
  first_abandoned = courier;
}

void Courier::wake() {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is awake.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

void Courier::run() {
  while (turn()) {
  }
  finish();
}

bool Courier::turn() {
  bool has_room = true;
  try {
    if (link_.is_open()) receive_answers();
    mind_connection();
    if (link_.is_connected()) has_room = send_due();
    forget_answered();
  } catch (const std::bad_alloc&) {
    link_.wait(wake_fd_, false, no_memory_retry.count());
  }
  {
    const std::lock_guard guard(mutex_);
    const bool is_empty = frames_.empty() && waiting_.empty() && aside_.empty();
    if (is_closing_ && (is_empty || left_ms(deadline_) == 0)) return false;
  }
  rest(has_room);
  return true;
}

void Courier::mind_connection() {
  const SteadyTime now = steady_clock::now();
  if (link_.disconnects() != seen_disconnects_ || is_answer_late(now)) reconnect(now);
  if (!link_.is_open() && now >= open_at_ && !link_.open()) open_at_ = now + no_socket_retry;
  is_connected_.store(link_.is_connected(), std::memory_order_relaxed);
}

bool Courier::is_answer_late(SteadyTime now) const {
  return frames_in_flight_ > 0 && std::ranges::any_of(frames_, [&](const Frame& frame) {
           return frame.state == FrameState::in_flight && now >= frame.due;
         });
}

void Courier::reconnect(SteadyTime now) {
  link_.discard();
  seen_disconnects_ = link_.disconnects();
  open_at_ = now + backoff(milliseconds(options_.link.reconnect_initial_ms),
                           milliseconds(options_.link.reconnect_max_ms), futile_connections_++);
  knows_limits_ = awaits_limits_ = false;
  said_frame_bytes_max_.store(0, std::memory_order_relaxed);
  said_event_bytes_max_.store(0, std::memory_order_relaxed);
  for (Frame& frame : frames_) {
    frame.is_unsure |= frame.state == FrameState::in_flight;
    if (frame.state != FrameState::answered) frame.state = FrameState::unsent;
    frame.due = now;
  }
  frames_in_flight_ = 0;
}

void Courier::receive_answers() {
  for (int left = answers_a_turn_max; left > 0 && link_.receive(message_); --left) {
    take_answer(proto::as_bytes(message_));
  }
}

void Courier::take_answer(proto::ByteView message) {
  // What is no answer to a frame of ours is passed over: the frame stays and is sent again.
  if (!proto::read_confirm_answer(message, answer_) || answer_.sequence < first_sequence_ ||
      answer_.sequence - first_sequence_ >= frames_.size()) {
    return;
  }
  Frame& frame = frames_[answer_.sequence - first_sequence_];
  if (frame.state != FrameState::in_flight) return;
  if (!answer_.refused.empty() && answer_.refused.back().index >= frame.event_count) return;
  futile_connections_ = 0;
  learn_limits();
  if (frame.event_count == 0) return end(frame);
  if (proto::is_for_later(answer_.status)) return refuse_for_now(frame);
  // Refused before because it came too early, and too late now: nothing of it was taken.
  const bool is_old =
      answer_.status == static_cast<std::uint64_t>(proto::Refusal::frame_sequence_old);
  if (is_old && frame.refusals > 0 && !frame.is_unsure) return send_as_new(frame, {frame.batch});
  if (is_of_size(answer_.status)) return break_up(frame);
  if (answer_.status != 0) return settle(frame, OUTRIDER_REFUSED, {});
  settle(frame, OUTRIDER_OK, answer_.refused);
}

void Courier::learn_limits() {
  knows_limits_ = true;
  awaits_limits_ = false;
  said_frame_bytes_max_.store(answer_.limits.frame_bytes_max, std::memory_order_relaxed);
  said_event_bytes_max_.store(answer_.limits.event_bytes_max, std::memory_order_relaxed);
  note_refusal(answer_.refused.empty() ? answer_.status : answer_.refused.front().refusal);
}

void Courier::note_refusal(std::uint64_t number) {
  const std::lock_guard guard(mutex_);
  counts_.last_refusal = static_cast<std::uint32_t>(number);
}

void Courier::end(Frame& frame) {
  if (frame.state == FrameState::in_flight) --frames_in_flight_;
  frame.state = FrameState::answered;
  frame.batch = {};
  has_ended_ = true;
}

void Courier::refuse_for_now(Frame& frame) {
  --frames_in_flight_;
  frame.state = FrameState::unsent;
  frame.due = steady_clock::now() +
              backoff(options_.backoff_initial, options_.backoff_max, frame.refusals++);
}

void Courier::break_up(Frame& frame) {
  if (frame.batch.deliveries.size() < 2) {
    if (frame.state == FrameState::unsent)
      note_refusal(static_cast<std::uint64_t>(proto::Refusal::frame_too_large));
    return settle(frame, OUTRIDER_REFUSED, {});
  }
  send_as_new(frame, halves(frame.batch));
}

void Courier::send_as_new(Frame& frame, std::list<Batch> batches) {
  {
    const std::lock_guard guard(mutex_);
    if (frame.was_set_aside) {
      is_aside_in_flight_ = false;
      aside_.put_back(std::move(batches));
    } else {
      waiting_.splice(waiting_.begin(), batches);
    }
  }
  end(frame);
}

milliseconds Courier::backoff(milliseconds initial, milliseconds max, std::uint32_t times) {
  constexpr std::uint32_t doublings_max = 16;
  const milliseconds longest = std::min(max, initial * (1U << std::min(times, doublings_max)));
  // Between half of it and all of it, so that many clients do not come back at once.
  std::uniform_int_distribution<milliseconds::rep> jitter(longest.count() / 2, longest.count());
  return milliseconds(jitter(random_));
}

void Courier::settle(Frame& frame, outrider_status status,
                     const std::vector<proto::RefusedEvent>& refused) {
  SetAside again = refused_for_now(frame.batch, refused);
  // From here on nothing fails.
  const Batch batch = std::exchange(frame.batch, {});
  const std::uint64_t for_good = static_cast<std::uint64_t>(std::ranges::count_if(
      refused, [](const auto& one) { return !proto::is_for_later(one.refusal); }));
  const std::uint64_t rest = batch.deliveries.size() - refused.size();
  end(frame);
  {
    const std::lock_guard guard(mutex_);
    held_bytes_ -= batch.cost() - again.cost();
    if (frame.was_set_aside) {
      is_aside_in_flight_ = false;
      aside_.forget(batch);
      if (rest > 0) aside_rounds_ = 0;
    }
    const bool is_first = aside_.empty() && !frame.was_set_aside && !is_aside_in_flight_;
    aside_.take_over(std::move(again), frame.was_set_aside, batch_bytes_max());
    if (is_first || (frame.was_set_aside && aside_.is_round_over())) begin_aside_round();
    counts_.refused_events += for_good;
    if (status == OUTRIDER_OK) counts_.confirmed_events += rest;
    if (status == OUTRIDER_REFUSED) counts_.refused_events += rest;
    if (status == OUTRIDER_TIMEOUT) counts_.expired_events += rest;
  }
  tell(batch, status, refused);
}

void Courier::begin_aside_round() {
  aside_due_ = steady_clock::now();
  const bool has_reason_to_wait = !aside_.is_round_over() || aside_.was_round_in_vain();
  if (has_reason_to_wait) {
    aside_due_ += backoff(options_.backoff_initial, options_.backoff_max, aside_rounds_++);
  }
  aside_.begin_round();
}

SetAside Courier::refused_for_now(const Batch& batch,
                                  const std::vector<proto::RefusedEvent>& refused) const {
  SetAside events;
  EventWalk walk(batch);
  std::uint32_t index = 0;
  for (const proto::RefusedEvent& one : refused) {
    if (!proto::is_for_later(one.refusal)) continue;
    for (; index < one.index; ++index) walk.next();
    const std::array event{walk.next()};
    ++index;
    events.add(event, batch.deliveries[one.index], batch.oldest, batch_bytes_max());
  }
  return events;
}

void Courier::tell(const Batch& batch, outrider_status status,
                   const std::vector<proto::RefusedEvent>& refused) {
  auto next_refused = refused.begin();
  std::uint32_t index = 0;
  for (const Delivery& delivery : batch.deliveries) {
    const bool is_refused = next_refused != refused.end() && next_refused->index == index;
    ++index;
    const bool is_later = is_refused && proto::is_for_later(next_refused->refusal);
    if (is_refused) ++next_refused;
    if (is_later || delivery.confirm == nullptr) continue;
    delivery.confirm(delivery.user, is_refused ? OUTRIDER_REFUSED : status);
  }
}

void Courier::forget_answered() {
  if (!std::exchange(has_ended_, false)) return;
  while (!frames_.empty() && frames_.front().state == FrameState::answered) {
    frames_.pop_front();
    ++first_sequence_;
  }
  const std::lock_guard guard(mutex_);
  std::uint64_t oldest = counts_.taken_events + 1;
  const auto look_at = [&](const Batch& batch) {
    if (!batch.deliveries.empty()) oldest = std::min(oldest, batch.oldest);
  };
  for (const Frame& frame : frames_) look_at(frame.batch);
  for (const Batch& batch : waiting_) look_at(batch);
  answered_in_order_ = std::min(oldest, aside_.oldest()) - 1;
  changed_.notify_all();
}

bool Courier::send_due() {
  const SteadyTime now = steady_clock::now();
  // A question may come behind the last one meanwhile.
  for (std::size_t i = 0; i < frames_.size() && may_send(); ++i) {
    Frame& frame = frames_[i];
    if (frame.state != FrameState::unsent || now < frame.due) continue;
    if (!try_to_send(frame, now)) return false;
  }
  return send_set_aside(now) && send_new(now);
}

bool Courier::send_new(SteadyTime now) {
  while (may_send_new()) {
    {
      const std::lock_guard guard(mutex_);
      if (waiting_.empty()) return true;
      // Whatever fails for want of memory fails before the batch moves.
      frames_.push_back(new_frame(waiting_.front().deliveries.size()));
      frames_.back().batch = std::move(waiting_.front());
      waiting_.pop_front();
    }
    if (!try_to_send(frames_.back(), now)) return false;
  }
  return true;
}

bool Courier::send_set_aside(SteadyTime now) {
  if (is_aside_in_flight_ || now < aside_due_ || !may_send_new()) return true;
  {
    const std::lock_guard guard(mutex_);
    if (aside_.is_round_over()) return true;
    frames_.push_back(new_frame(aside_.next_count()));
    frames_.back().batch = aside_.take();
    frames_.back().was_set_aside = true;
    is_aside_in_flight_ = true;
  }
  return try_to_send(frames_.back(), now);
}

Courier::Frame Courier::new_frame(std::size_t event_count) const {
  proto::FrameHeaderFields fields;
  fields.client_id = client_id_;
  fields.sequence = first_sequence_ + frames_.size();
  fields.host = host_;
  fields.pid = static_cast<std::uint64_t>(getpid());
  fields.library = library;
  Frame frame;
  frame.event_count = static_cast<std::uint32_t>(event_count);
  frame.head = proto::frame_head(fields, frame.event_count);
  return frame;
}

Courier::Fit Courier::fit(const Frame& frame) const {
  if (!knows_limits_) return frame.bytes() <= unasked_bytes_max ? Fit::fits : Fit::unknown;
  const std::uint64_t said = said_frame_bytes_max_.load(std::memory_order_relaxed);
  return said == 0 || frame.bytes() <= said ? Fit::fits : Fit::too_large;
}

bool Courier::try_to_send(Frame& frame, SteadyTime now) {
  switch (fit(frame)) {
    case Fit::unknown:
      return ask_for_limits(frame, now);
    case Fit::too_large:
      break_up(frame);
      return true;
    case Fit::fits:
      break;
  }
  return send(frame, now);
}

bool Courier::ask_for_limits(Frame& frame, SteadyTime now) {
  // Any answer tells them.
  awaits_limits_ = frames_in_flight_ > 0;
  if (awaits_limits_) return true;
  auto question = std::ranges::find_if(frames_, [](const Frame& one) {
    return one.event_count == 0 && one.state == FrameState::unsent;
  });
  if (question == frames_.end()) {
    if (frames_.size() >= proto::confirm_window_frames) return send(frame, now);
    frames_.push_back(new_frame(0));
    question = std::prev(frames_.end());
  }
  awaits_limits_ = send(*question, now);
  return awaits_limits_;
}

bool Courier::send(Frame& frame, SteadyTime now) {
  const std::string& events = frame.batch.events;
  std::uint8_t* const out = link_.make_frame(frame.head.size() + events.size());
  if (out == nullptr) throw std::bad_alloc();
  std::ranges::copy(events, std::ranges::copy(frame.head, out).out);
  if (!link_.send()) return false;
  frame.state = FrameState::in_flight;
  frame.due = now + options_.answer_timeout;
  ++frames_in_flight_;
  return true;
}

void Courier::rest(bool has_room) {
  const SteadyTime now = steady_clock::now();
  SteadyTime next = next_due();
  {
    const std::lock_guard guard(mutex_);
    const bool wants_events = link_.is_connected() && has_room && may_send_new();
    if (wants_events && !waiting_.empty()) return;
    const bool wants_aside = wants_events && !is_aside_in_flight_ && !aside_.is_round_over();
    if (wants_aside) next = std::min(next, aside_due_);
    is_asleep_ = wants_events;
    if (is_closing_) next = std::min(next, deadline_);
  }
  const auto left = std::chrono::ceil<milliseconds>(next - now).count();
  const long timeout_ms = next == SteadyTime::max() ? -1 : std::max<long>(0, left);
  link_.wait(wake_fd_, !has_room, timeout_ms);
}

SteadyTime Courier::next_due() const {
  if (!link_.is_open()) return open_at_;
  SteadyTime next = SteadyTime::max();
  if (!link_.is_connected()) return next;
  for (const Frame& frame : frames_) {
    const bool counts =
        frame.state == FrameState::in_flight || (frame.state == FrameState::unsent && may_send());
    if (counts) next = std::min(next, frame.due);
  }
  return next;
}

void Courier::finish() {
  for (Frame& frame : frames_) {
    if (frame.state != FrameState::answered) settle(frame, OUTRIDER_TIMEOUT, {});
  }
  std::list<Batch> waiting;
  {
    const std::lock_guard guard(mutex_);
    waiting.swap(waiting_);
    waiting.splice(waiting.end(), aside_.clear());
  }
  for (Batch& batch : waiting) {
    Frame frame;
    frame.batch = std::move(batch);
    settle(frame, OUTRIDER_TIMEOUT, {});
  }
  {
    const std::lock_guard guard(mutex_);
    is_settled_ = true;
    changed_.notify_all();
  }
  link_.close(0);
  is_connected_.store(false, std::memory_order_relaxed);
  const std::lock_guard guard(mutex_);
  is_finished_ = true;
  changed_.notify_all();
}

}  // namespace outrider::sdk
