#include "sdk/src/courier.hpp"

#include <chrono>
#include <new>

namespace outrider::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds no_socket_retry{1000};
constexpr milliseconds no_memory_retry{100};

}  // namespace

Courier::Courier(const CourierOptions& options)
    : link_options_(options.link),
      events_(options.bytes_max, options.frame_bytes_max),
      link_(options.link),
      window_(options.window, link_, events_) {}

bool Courier::start() {
  return window_.start() && worker_.start([this] { run(); });
}

outrider_status Courier::deliver(std::span<const proto::ByteView> pieces, Delivery delivery) {
  bool is_awaited = false;
  const outrider_status status = events_.take(pieces, delivery, is_awaited);
  if (is_awaited) worker_.wake();
  return status;
}

void Courier::close(SteadyTime deadline) {
  // In this order: a thread that sees the close finds no later event.
  events_.close();
  worker_.close(deadline);
}

bool Courier::close_wait() {
  // The thread hangs in libzmq after that at the earliest. A confirm function that closes, though
  // it must not, does not wait for itself.
  if (!worker_.is_this_thread()) events_.wait_settled();
  return worker_.close_wait() && counts().expired_events == 0;
}

const char* Courier::obstacle() {
  const DeliveryCounts now = counts();
  if (now.unconfirmed_events + now.expired_events == 0) return obstacles::none;
  return obstacle_.load(std::memory_order_relaxed);
}

void Courier::run() {
  while (turn()) {
  }
  finish();
}

bool Courier::turn() {
  bool has_room = true;
  try {
    if (link_.is_open() && window_.receive_answers()) {
      is_answer_missed_ = false;
      futile_connections_ = 0;
    }
    mind_connection();
    // A frame sent at the very end can only become unknown.
    if (link_.is_connected() && !worker_.is_over()) has_room = window_.send_due();
    // A frame ends without an answer if no answer could be a yes.
    window_.forget_answered();
  } catch (const std::bad_alloc&) {
    link_.wait(worker_.wake_fd(), false, no_memory_retry.count());
  }
  note_obstacle();
  if (worker_.is_over()) return false;
  if (worker_.is_closing() && window_.is_empty() && !events_.has_waiting()) return false;
  rest(has_room);
  return true;
}

void Courier::mind_connection() {
  const SteadyTime now = steady_clock::now();
  const bool is_answer_late = window_.is_answer_late(now);
  if (is_answer_late || link_.disconnects() != seen_disconnects_) {
    is_answer_missed_ = is_answer_late;
    link_.discard();
    seen_disconnects_ = link_.disconnects();
    open_at_ =
        now + window_.backoff(milliseconds(link_options_.reconnect_initial_ms),
                              milliseconds(link_options_.reconnect_max_ms), futile_connections_++);
    window_.lose_connection(now);
  }
  if (!link_.is_open() && now >= open_at_) {
    has_no_means_ = !link_.open();
    if (has_no_means_) open_at_ = now + no_socket_retry;
  }
  is_connected_.store(link_.is_connected(), std::memory_order_relaxed);
}

void Courier::note_obstacle() {
  const auto obstacle = [&] {
    if (has_no_means_) return obstacles::no_means;
    if (link_.is_given_up()) return obstacles::other_socket;
    if (is_answer_missed_) return obstacles::no_answer;
    return link_.is_connected() ? window_.obstacle() : obstacles::not_connected;
  };
  obstacle_.store(obstacle(), std::memory_order_relaxed);
}

void Courier::rest(bool has_room) {
  const bool wants_events = link_.is_connected() && has_room && window_.has_place();
  if (!events_.may_sleep(wants_events)) return;
  SteadyTime next = SteadyTime::max();
  if (!link_.is_open()) {
    next = open_at_;
  } else if (link_.is_connected()) {
    next = window_.next_due();
  }
  const long timeout_ms = next == SteadyTime::max() ? -1 : left_ms(next);
  link_.wait(worker_.wake_fd(), !has_room, worker_.sleep_ms(timeout_ms));
}

void Courier::finish() {
  window_.expire();
  events_.expire();
  link_.close(0);
  is_connected_.store(false, std::memory_order_relaxed);
}

}  // namespace outrider::sdk
