#include "sidecar/cli/event_sender.hpp"

#include <algorithm>
#include <chrono>

#include "proto/refusal.hpp"

namespace outrider::sidecar {
namespace {

/// How long nothing happens before it is asked why.
constexpr Duration patience = std::chrono::milliseconds(100);

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
    const outrider_status status = outrider_deliver(client_.get(), &event, on_confirm, this);
    if (status != OUTRIDER_FULL) return status;
    lock.lock();
    const Duration step = std::min(left, patience);
    if (changed_.wait_for(lock, step, [&] { return answered_ != answered; })) {
      left = options_.timeout;
      continue;
    }
    left -= step;
    lock.unlock();
    if (left <= Duration{} || has_no_room()) return OUTRIDER_TIMEOUT;
  }
}

void EventSender::on_confirm(void* user, outrider_status status) {
  auto& self = *static_cast<EventSender*>(user);
  const std::uint32_t refusal = status == OUTRIDER_REFUSED ? self.stats().last_refusal : 0;
  const std::lock_guard guard(self.mutex_);
  if (refusal != 0) self.refusal_ = refusal;
  ++self.answered_;
  self.changed_.notify_one();
}

bool EventSender::has_no_room() const {
  return !options_.wait && proto::is_for_later(stats().last_refusal);
}

outrider_status EventSender::flush() {
  if (!options_.confirm) return outrider_flush(client_.get(), to_ms(options_.timeout));
  Duration left = options_.timeout;
  for (;;) {
    const outrider_stats before = stats();
    const Duration step = std::min(left, patience);
    const outrider_status status = outrider_flush(client_.get(), to_ms(step));
    if (status == OUTRIDER_OK) return status;
    left -= step;
    const bool is_stuck = stats().unconfirmed_events == before.unconfirmed_events;
    if (left <= Duration{} || (is_stuck && has_no_room())) return status;
  }
}

EventSender::Outcome EventSender::finish() {
  const outrider_status flushed = flush();
  const std::uint32_t last_refusal = stats().last_refusal;
  outrider_close(client_.get(), flushed == OUTRIDER_OK ? to_ms(options_.timeout) : 0);
  const outrider_stats known = stats();
  if (!options_.confirm) {
    return {.sent = known.handed_over_events,
            .unknown = known.shipped_events - known.handed_over_events};
  }
  const std::lock_guard guard(mutex_);
  const bool is_left = known.expired_events > 0 && last_refusal != 0;
  return {.sent = known.confirmed_events,
          .refused = known.refused_events,
          .refusal = is_left ? last_refusal : refusal_};
}

outrider_stats EventSender::stats() const {
  outrider_stats stats{};
  outrider_stats_read(client_.get(), &stats, sizeof(stats));
  return stats;
}

}  // namespace outrider::sidecar
