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
/// What every sidecar reads; of a larger frame it has to be asked.
constexpr std::size_t frame_bytes_unasked_max = std::size_t{1} << 20U;

std::size_t total_bytes(std::span<const proto::ByteView> pieces) {
  std::size_t bytes = 0;
  for (const proto::ByteView piece : pieces) bytes += piece.size();
  return bytes;
}

/// Refusals of a whole frame whose events may be taken when they come in smaller ones.
bool is_for_smaller(std::uint64_t status) {
  return status == static_cast<std::uint64_t>(proto::Refusal::frame_too_large) ||
         status == static_cast<std::uint64_t>(proto::Refusal::frame_copies) ||
         status == static_cast<std::uint64_t>(proto::Refusal::frame_refusals);
}

}  // namespace

Courier::Courier(const CourierOptions& options)
    : options_(options),
      batch_bytes_max_(options.frame_bytes_max - frame_head_bytes_max),
      link_(options.link) {}

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

outrider_status Courier::deliver(std::span<const proto::ByteView> pieces, Delivery delivery) {
  const std::size_t bytes = total_bytes(pieces);
  if (bytes + delivery_bytes > options_.bytes_max) return OUTRIDER_TOO_LARGE;
  const std::uint64_t said_max = event_bytes_said_.load(std::memory_order_relaxed);
  if (said_max != 0 && bytes > said_max) return OUTRIDER_TOO_LARGE;
  bool is_asleep = false;
  {
    const std::lock_guard guard(mutex_);
    if (is_closing_) return OUTRIDER_CLOSED;
    if (!has_room(bytes + delivery_bytes, topic_of(pieces.front()))) return OUTRIDER_FULL;
    const std::size_t batch_bytes_max = batch_bytes_max_.load(std::memory_order_relaxed);
    // An answer can name each event of a frame, or one that has to wait would hold up the others.
    if (waiting_.empty() || waiting_.back().events.size() + bytes > batch_bytes_max ||
        waiting_.back().deliveries.size() == proto::refused_events_max) {
      waiting_.emplace_back().first_event = counts_.taken_events;
    }
    Batch& batch = waiting_.back();
    const std::size_t size = batch.events.size() + bytes;
    if (size > batch.events.capacity()) {
      batch.events.reserve(std::max(size, std::min(2 * batch.events.capacity(), batch_bytes_max)));
    }
    batch.deliveries.push_back(delivery);
    for (const proto::ByteView piece : pieces) batch.events.append(proto::as_text(piece));
    held_bytes_ += bytes + delivery_bytes;
    ++counts_.taken_events;
    is_asleep = std::exchange(is_asleep_, false);
  }
  if (is_asleep) wake();
  return OUTRIDER_OK;
}

bool Courier::has_room(std::size_t bytes, std::string_view topic) const {
  const std::size_t stuck_bytes = stuck_topics_.bytes();
  const bool is_stuck = stuck_topics_.holds(topic);
  if (is_stuck && stuck_bytes + bytes > options_.bytes_max / 2) return false;
  // What was taken before the first of it was refused may be all that there is.
  const bool has_reserve = stuck_bytes > 0 && !is_stuck;
  const std::size_t reserve = has_reserve ? options_.bytes_max / reserve_share : 0;
  return held_bytes_ + bytes <= options_.bytes_max + reserve;
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
  counts.unanswered_events = unanswered_events_.load(std::memory_order_relaxed);
  return counts;
}

const char* Courier::obstacle() {
  const CourierCounts now = counts();
  if (now.unconfirmed_events + now.expired_events == 0) return obstacles::none;
  return obstacle_.load(std::memory_order_relaxed);
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
    // What is sent at the very end can only become unknown.
    if (link_.is_connected() && !is_over()) has_room = send_due();
    // A frame ends without an answer if no answer could be a yes.
    forget_answered();
  } catch (const std::bad_alloc&) {
    link_.wait(wake_fd_, false, no_memory_retry.count());
  }
  note_obstacle();
  {
    const std::lock_guard guard(mutex_);
    const bool is_empty = frames_.empty() && waiting_.empty() && postponed_.empty();
    if (is_closing_ && (is_empty || left_ms(deadline_) == 0)) return false;
  }
  rest(has_room);
  return true;
}

bool Courier::is_over() {
  const std::lock_guard guard(mutex_);
  return is_closing_ && left_ms(deadline_) == 0;
}

void Courier::note_obstacle() {
  const auto obstacle = [&] {
    if (has_no_means_) return obstacles::no_means;
    if (link_.is_given_up()) return obstacles::other_socket;
    if (is_answer_missed_) return obstacles::no_answer;
    if (!link_.is_connected()) return obstacles::not_connected;
    if (refusal_for_now_ == 0) return obstacles::no_answer_yet;
    const auto* const row = std::ranges::find_if(proto::refusals, [&](const auto& it) {
      return static_cast<std::uint64_t>(it.refusal) == refusal_for_now_;
    });
    // The sentences are literals, and end in a zero byte.
    return row == proto::refusals.end() ? obstacles::refuses_now : row->sentence.data();
  };
  obstacle_.store(obstacle(), std::memory_order_relaxed);
}

void Courier::mind_connection() {
  const SteadyTime now = steady_clock::now();
  if (link_.disconnects() != seen_disconnects_ || is_answer_late(now)) reconnect(now);
  if (!link_.is_open() && now >= open_at_) {
    has_no_means_ = !link_.open();
    if (has_no_means_) open_at_ = now + no_socket_retry;
  }
  is_connected_.store(link_.is_connected(), std::memory_order_relaxed);
}

bool Courier::is_answer_late(SteadyTime now) const {
  return frames_in_flight_ > 0 && std::ranges::any_of(frames_, [&](const Frame& frame) {
           return frame.state == FrameState::in_flight && now >= frame.due;
         });
}

void Courier::reconnect(SteadyTime now) {
  is_answer_missed_ = is_answer_late(now);
  refusal_for_now_ = 0;
  link_.discard();
  seen_disconnects_ = link_.disconnects();
  open_at_ = now + backoff(milliseconds(options_.link.reconnect_initial_ms),
                           milliseconds(options_.link.reconnect_max_ms), futile_connections_++);
  for (Frame& frame : frames_) {
    if (frame.state == FrameState::in_flight) frame.is_unsure = frame.batch.is_unsure = true;
    if (frame.state != FrameState::answered) frame.state = FrameState::unsent;
    frame.due = now;
  }
  frames_in_flight_ = 0;
  // Another sidecar may come, or the same one with other limits.
  limits_state_ = Limits::unknown;
  event_bytes_said_.store(0, std::memory_order_relaxed);
  const std::lock_guard guard(mutex_);
  stuck_topics_.know({});
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
  take_limits();
  is_answer_missed_ = false;
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
  futile_connections_ = 0;
}

void Courier::take_limits() {
  limits_ = answer_.limits;
  event_bytes_said_.store(limits_.event_bytes_max, std::memory_order_relaxed);
  // A sidecar that takes next to nothing gets its events one by one.
  const std::size_t frame_bytes_max =
      limits_.frame_bytes_max == 0
          ? options_.frame_bytes_max
          : std::clamp<std::uint64_t>(limits_.frame_bytes_max, frame_head_bytes_max,
                                      options_.frame_bytes_max);
  batch_bytes_max_.store(frame_bytes_max - frame_head_bytes_max, std::memory_order_relaxed);
  if (limits_state_ == Limits::known) return;
  limits_state_ = Limits::known;
  for (Frame& frame : frames_) {
    if (frame.state == FrameState::waiting) frame.state = FrameState::unsent;
  }
}

void Courier::take_partly(Frame& frame) {
  if (!answer_.refused.empty()) note_refusal(answer_.refused.back().refusal);
  Batch again = refused_for_now(frame.batch, answer_.refused);
  if (!again.deliveries.empty()) {
    refusal_for_now_ = static_cast<std::uint64_t>(proto::Refusal::destination_full);
    again.is_stuck = true;
    // The frame is taken, and these are not.
    again.is_unsure = again.may_be_taken = false;
    again.due = steady_clock::now() +
                backoff(options_.backoff_initial, options_.backoff_max, again.refusals++);
    postponed_.push_back(std::move(again));
    try {
      const std::lock_guard guard(mutex_);
      stuck_topics_.add(postponed_.back());
      stuck_topics_.know(std::move(answer_.full));
    } catch (const std::bad_alloc&) {
      postponed_.pop_back();
      throw;
    }
  }
  settle(frame, OUTRIDER_OK, answer_.refused);
}

void Courier::refuse(Frame& frame, std::uint32_t refusal) {
  count_as(frame.batch.is_unsure, frame.batch);
  // Refused before because it came too early, and now too late: nothing of it was taken.
  const bool is_late = refusal == static_cast<std::uint32_t>(proto::Refusal::frame_sequence_old);
  if (is_late && frame.was_refused && !frame.is_unsure) return send_as_new(frame);
  const std::uint32_t half = frame.event_count / 2;
  if (!is_for_smaller(refusal) || half == 0) {
    note_refusal(refusal);
    return settle(frame, OUTRIDER_REFUSED, {});
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

void Courier::send_as_new(Frame& frame) {
  postponed_.push_back(std::move(frame.batch));
  postponed_.back().due = {};
  frame.batch = {};
  frame.state = FrameState::answered;
}

void Courier::refuse_for_now(Frame& frame) {
  count_as(frame.batch.is_unsure, frame.batch);
  frame.was_refused = true;
  frame.state = FrameState::unsent;
  frame.due = steady_clock::now() +
              backoff(options_.backoff_initial, options_.backoff_max, frame.batch.refusals++);
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
  Batch batch = std::exchange(frame.batch, {});
  frame.state = FrameState::answered;
  if (status != OUTRIDER_TIMEOUT) count_as(false, batch);
  std::uint64_t later = 0;
  for (const proto::RefusedEvent& event : refused) later += proto::is_for_later(event.refusal);
  const std::uint64_t refused_now = refused.size() - later;
  const std::uint64_t others = batch.deliveries.size() - refused.size();
  std::size_t kept_bytes = 0;
  if (later > 0) kept_bytes = postponed_.back().cost();
  {
    const std::lock_guard guard(mutex_);
    held_bytes_ -= batch.cost() - kept_bytes;
    if (batch.is_stuck) stuck_topics_.remove(batch);
    counts_.refused_events += refused_now + (status == OUTRIDER_REFUSED ? others : 0);
    if (status == OUTRIDER_OK) counts_.confirmed_events += others;
    if (status == OUTRIDER_TIMEOUT) counts_.expired_events += others;
  }
  auto next_refused = refused.begin();
  std::uint32_t index = 0;
  for (const Delivery& delivery : batch.deliveries) {
    outrider_status told = status;
    bool is_later = false;
    if (next_refused != refused.end() && next_refused->index == index) {
      is_later = proto::is_for_later(next_refused++->refusal);
      told = OUTRIDER_REFUSED;
    }
    ++index;
    if (!is_later && delivery.confirm != nullptr) delivery.confirm(delivery.user, told);
  }
}

void Courier::forget_answered() {
  while (!frames_.empty() && frames_.front().state == FrameState::answered) {
    frames_.pop_front();
    ++first_sequence_;
  }
  const std::lock_guard guard(mutex_);
  const std::uint64_t first = first_unanswered();
  if (first == answered_in_order_) return;
  answered_in_order_ = first;
  changed_.notify_all();
}

std::uint64_t Courier::first_unanswered() const {
  std::uint64_t first = waiting_.empty() ? counts_.taken_events : waiting_.front().first_event;
  for (const Batch& batch : postponed_) first = std::min(first, batch.first_event);
  for (const Frame& frame : frames_) {
    if (frame.state == FrameState::answered || frame.event_count == 0) continue;
    first = std::min(first, frame.batch.first_event);
  }
  return first;
}

bool Courier::send_due() {
  const SteadyTime now = steady_clock::now();
  // By their places: a frame may be added meanwhile.
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    if (frames_in_flight_ == frames_in_flight_max) return true;
    if (frames_[i].state != FrameState::unsent || now < frames_[i].due) continue;
    if (!send(frames_[i], now)) return false;
  }
  while (frames_in_flight_ < frames_in_flight_max && make_frame(now)) {
    if (!send(frames_.back(), now)) return false;
  }
  if (limits_state_ == Limits::wanted && frames_.size() < proto::confirm_window_frames) {
    Frame& question = add_frame(0);
    limits_state_ = Limits::asked;
    return send(question, now);
  }
  return true;
}

bool Courier::send(Frame& frame, SteadyTime now) {
  if (!can_be_read(frame)) return true;
  const std::string& events = frame.batch.events;
  std::uint8_t* const out = link_.make_frame(frame.head.size() + events.size());
  if (out == nullptr) throw std::bad_alloc();
  std::ranges::copy(events, std::ranges::copy(frame.head, out).out);
  // Before anybody can see the frame.
  count_as(true, frame.batch);
  if (!link_.send()) {
    count_as(frame.batch.is_unsure, frame.batch);
    return false;
  }
  frame.state = FrameState::in_flight;
  frame.due = now + options_.answer_timeout;
  ++frames_in_flight_;
  return true;
}

void Courier::count_as(bool may_be_taken, Batch& batch) {
  if (batch.may_be_taken == may_be_taken) return;
  batch.may_be_taken = may_be_taken;
  const std::uint64_t events = batch.deliveries.size();
  unanswered_events_.fetch_add(may_be_taken ? events : 0 - events, std::memory_order_relaxed);
}

bool Courier::can_be_read(Frame& frame) {
  const std::size_t bytes = frame.head.size() + frame.batch.events.size();
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

Courier::Frame& Courier::add_frame(std::uint32_t event_count) {
  proto::FrameHeaderFields fields;
  fields.client_id = client_id_;
  fields.sequence = first_sequence_ + frames_.size();
  fields.host = host_;
  fields.pid = static_cast<std::uint64_t>(getpid());
  fields.library = library;
  // Whatever fails for want of memory fails before there is a frame.
  std::string head = proto::frame_head(fields, event_count);
  Frame& frame = frames_.emplace_back();
  frame.head = std::move(head);
  frame.event_count = event_count;
  return frame;
}

bool Courier::make_frame(SteadyTime now) {
  if (frames_.size() >= proto::confirm_window_frames) return false;
  const auto due = std::ranges::find_if(postponed_, [&](const Batch& b) { return b.due <= now; });
  const bool has_new = [&] {
    const std::lock_guard guard(mutex_);
    return !waiting_.empty();
  }();
  // In turns: what is refused again and again must not keep others waiting.
  is_turn_of_new_ = has_new && !is_turn_of_new_;
  if (due != postponed_.end() && !is_turn_of_new_) {
    add_frame(static_cast<std::uint32_t>(due->deliveries.size())).batch = std::move(*due);
    postponed_.erase(due);
    return true;
  }
  const std::lock_guard guard(mutex_);
  if (waiting_.empty()) return false;
  Batch& next = waiting_.front();
  add_frame(static_cast<std::uint32_t>(next.deliveries.size())).batch = std::move(next);
  waiting_.pop_front();
  return true;
}

void Courier::rest(bool has_room) {
  const SteadyTime now = steady_clock::now();
  long timeout_ms = rest_ms(now);
  {
    const std::lock_guard guard(mutex_);
    const bool wants_events = link_.is_connected() && has_room &&
                              frames_in_flight_ < frames_in_flight_max &&
                              frames_.size() < proto::confirm_window_frames;
    if (wants_events && !waiting_.empty()) return;
    is_asleep_ = wants_events;
    if (is_closing_) {
      const long closing_ms = left_ms(deadline_);
      timeout_ms = timeout_ms < 0 ? closing_ms : std::min(timeout_ms, closing_ms);
    }
  }
  link_.wait(wake_fd_, !has_room, timeout_ms);
}

long Courier::rest_ms(SteadyTime now) const {
  SteadyTime next = SteadyTime::max();
  if (!link_.is_open()) {
    next = open_at_;
  } else if (link_.is_connected()) {
    for (const Frame& frame : frames_) {
      if (frame.state == FrameState::answered || frame.state == FrameState::waiting) continue;
      const bool counts =
          frame.state == FrameState::in_flight || frames_in_flight_ < frames_in_flight_max;
      if (counts) next = std::min(next, frame.due);
    }
    const bool has_window =
        frames_in_flight_ < frames_in_flight_max && frames_.size() < proto::confirm_window_frames;
    for (const Batch& batch : postponed_) {
      if (has_window) next = std::min(next, batch.due);
    }
  }
  if (next == SteadyTime::max()) return -1;
  return std::max<long>(0, std::chrono::ceil<milliseconds>(next - now).count());
}

void Courier::finish() {
  for (Frame& frame : frames_) {
    if (frame.state != FrameState::answered) settle(frame, OUTRIDER_TIMEOUT, {});
  }
  std::deque<Batch> waiting;
  {
    const std::lock_guard guard(mutex_);
    waiting.swap(waiting_);
  }
  for (std::deque<Batch>* const batches : {&postponed_, &waiting}) {
    for (Batch& batch : *batches) {
      Frame frame;
      frame.batch = std::move(batch);
      settle(frame, OUTRIDER_TIMEOUT, {});
    }
    batches->clear();
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
