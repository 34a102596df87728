#include "sidecar/cli/event_sender.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "proto/refusal.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/cli/endpoint_look.hpp"

namespace outrider::sidecar {
namespace {

/// How long nothing happens before it is asked why.
constexpr Duration slice_max = std::chrono::milliseconds(100);
constexpr Duration step_max = std::chrono::milliseconds(5);
/// How long a sidecar that has confirmed something may take for the next.
constexpr Duration slow_max = std::chrono::seconds(2);
/// The memory that the SDK needs for an event besides its data, roughly.
constexpr std::uint64_t other_bytes = 1024;

constexpr std::uint32_t confirmed_event_bytes_max = 64U << 20U;
/// The limit of unconfirmed bytes, unless one event is larger: the last of them must be confirmed
/// within one timeout.
constexpr std::uint64_t window_bytes = 8U << 20U;

std::uint32_t to_ms(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<std::uint32_t>(std::min<std::int64_t>(ms, 0x7fff'ffff));
}

outrider_event as_c(const EmitEvent& event) {
  outrider_event out{};
  out.struct_bytes = sizeof(out);
  out.topic = event.topic.data();
  out.topic_bytes = event.topic.size();
  out.data = event.data.data();
  out.data_bytes = event.data.size();
  out.time_ns = event.time_ns;
  out.id = event.id.data();
  out.id_bytes = event.id.size();
  out.id_is_text = event.id.empty() ? 0 : 1;
  out.key = event.key.data();
  out.key_bytes = event.key.size();
  out.trace = event.trace.data();
  out.trace_bytes = event.trace.size();
  out.at_ns = event.at_ns;
  out.delay_ms = event.delay_ms;
  out.ttl_ms = event.ttl_ms;
  out.priority = static_cast<std::int32_t>(event.priority) - 1;
  return out;
}

}  // namespace

EventSender::EventSender(const SenderOptions& options) : options_(options) {
  outrider_options client_options{};
  outrider_options_init(&client_options, sizeof(client_options));
  client_options.endpoint = options_.endpoint.c_str();
  client_options.confirm_endpoint = options_.confirm_endpoint.c_str();
  client_options.linger_ms = 0;
  if (options_.confirm) {
    client_options.event_bytes_max = confirmed_event_bytes_max;
    client_options.deliver_bytes_max = confirmed_event_bytes_max + window_bytes;
  }
  event_bytes_max_ = client_options.event_bytes_max;
  outrider_client* made = nullptr;
  status_ = outrider_client_new(&client_options, &made);
  client_.reset(made);
}

outrider_status EventSender::send(const EmitEvent& event) {
  const outrider_event out = as_c(event);
  return options_.confirm ? deliver(out)
                          : outrider_emit_wait(client_.get(), &out, to_ms(options_.timeout));
}

outrider_status EventSender::deliver(const outrider_event& event) {
  Duration left = options_.timeout;
  for (;;) {
    std::unique_lock lock(mutex_);
    const std::uint64_t answered = answered_;
    lock.unlock();
    const outrider_status status = has_window(event.data_bytes)
                                       ? outrider_deliver(client_.get(), &event, on_confirm, this)
                                       : OUTRIDER_FULL;
    if (status == OUTRIDER_OK) unconfirmed_bytes_ += event.data_bytes + other_bytes;
    if (status != OUTRIDER_FULL) return status;
    lock.lock();
    const Duration slice = std::min(left, slice_max);
    if (changed_.wait_for(lock, slice, [&] { return answered_ != answered; })) {
      left = options_.timeout;
      continue;
    }
    lock.unlock();
    left -= slice;
    if (left <= Duration{} || has_no_room(options_.timeout - left)) return OUTRIDER_TIMEOUT;
  }
}

bool EventSender::has_window(std::size_t bytes) {
  if (unconfirmed_bytes_ + bytes <= window_bytes) return true;
  const outrider_stats now = stats();
  unconfirmed_bytes_ = now.unconfirmed_bytes;
  return now.unconfirmed_events == 0 || unconfirmed_bytes_ + bytes <= window_bytes;
}

std::string EventSender::reason(outrider_status status, const EmitEvent& event) const {
  if (status != OUTRIDER_TOO_LARGE) return outrider_status_text(status);
  std::string text = "the event is too large: its data alone has " +
                     std::to_string(event.data.size()) + " bytes as msgpack, and emit takes " +
                     format_size(event_bytes_max_) + " at most";
  if (!options_.confirm) {
    return text + "; --confirm takes what the sidecar's ingest.event_bytes_max allows";
  }
  return text + " and no more than the sidecar's ingest.event_bytes_max";
}

void EventSender::on_confirm(void* user, outrider_status) {
  auto& self = *static_cast<EventSender*>(user);
  const std::lock_guard guard(self.mutex_);
  ++self.answered_;
  self.changed_.notify_one();
}

bool EventSender::has_no_room(Duration quiet) const {
  const outrider_stats now = stats();
  // A refusal may be an old one, and the sidecar slow.
  const bool is_quiet = now.confirmed_events == 0 || quiet >= slow_max;
  // A frame in flight may still be answered; until then it is unknown.
  return !options_.wait && is_quiet && now.unanswered_events == 0 &&
         proto::is_for_later(now.last_refusal);
}

outrider_status EventSender::flush() {
  // Without confirm there are no answers to look at.
  if (!options_.confirm) return outrider_flush(client_.get(), to_ms(options_.timeout));
  Duration left = options_.timeout;
  Duration quiet{};
  for (;;) {
    const std::uint64_t unconfirmed = stats().unconfirmed_events;
    const Duration slice = std::min(left, slice_max);
    const outrider_status status = outrider_flush(client_.get(), to_ms(slice));
    if (status == OUTRIDER_OK) return status;
    left -= slice;
    quiet = stats().unconfirmed_events == unconfirmed ? quiet + slice : Duration{};
    if (left <= Duration{} || (quiet > Duration{} && has_no_room(quiet))) return status;
  }
}

/// A frame that is sent repeatedly may be in flight just when the time ends, and its answer close.
void EventSender::await_answers() {
  for (Duration left = slice_max; left > Duration{} && stats().unanswered_events > 0;
       left -= step_max) {
    outrider_flush(client_.get(), to_ms(step_max));
  }
}

EventSender::Outcome EventSender::finish() {
  const outrider_status flushed = flush();
  if (flushed != OUTRIDER_OK && options_.confirm) await_answers();
  outrider_close(client_.get(), flushed == OUTRIDER_OK ? to_ms(options_.timeout) : 0);
  const outrider_stats end = stats();
  if (options_.confirm) {
    return {.sent = end.confirmed_events,
            .refused = end.refused_events,
            .lost = end.expired_events - end.unanswered_events,
            .unknown = end.unanswered_events};
  }
  return {.sent = end.handed_over_events,
          .lost = end.dropped[OUTRIDER_DROPPED_LINGER],
          .unknown = end.shipped_events - end.handed_over_events};
}

outrider_stats EventSender::stats() const {
  outrider_stats stats{};
  outrider_stats_read(client_.get(), &stats, sizeof(stats));
  return stats;
}

std::string EventSender::why_waiting() const {
  return outrider_obstacle_text(client_.get());
}

std::string EventSender::last_refusal() const {
  const std::uint32_t number = stats().last_refusal;
  for (const proto::RefusalRow& row : proto::refusals) {
    if (static_cast<std::uint32_t>(row.refusal) != number) continue;
    return std::string(row.name) + ": " + std::string(row.sentence);
  }
  return number == 0 ? std::string() : "refusal " + std::to_string(number);
}

std::string EventSender::obstacle() {
  const EndpointUse use = options_.confirm ? EndpointUse::confirm : EndpointUse::ingest;
  std::string why = why_unreachable(options_.used_endpoint(), use);
  if (!why.empty() || std::exchange(is_looked_at_, true)) return why;
  return why_unfit(options_.used_endpoint(), use);
}

}  // namespace outrider::sidecar
