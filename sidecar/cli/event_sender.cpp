#include "sidecar/cli/event_sender.hpp"

#include <algorithm>
#include <chrono>

namespace outrider::sidecar {
namespace {

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
  std::unique_lock lock(mutex_);
  for (;;) {
    const std::uint64_t answered = answered_;
    lock.unlock();
    const outrider_status status = outrider_deliver(client_.get(), &event, on_confirm, this);
    if (status != OUTRIDER_FULL) return status;
    lock.lock();
    if (!changed_.wait_for(lock, options_.timeout, [&] { return answered_ != answered; })) {
      return OUTRIDER_TIMEOUT;
    }
  }
}

void EventSender::on_confirm(void* user, outrider_status) {
  auto& self = *static_cast<EventSender*>(user);
  const std::lock_guard guard(self.mutex_);
  ++self.answered_;
  self.changed_.notify_one();
}

EventSender::Outcome EventSender::finish() {
  const outrider_status flushed = outrider_flush(client_.get(), to_ms(options_.timeout));
  outrider_close(client_.get(), flushed == OUTRIDER_OK ? to_ms(options_.timeout) : 0);
  outrider_stats stats{};
  outrider_stats_read(client_.get(), &stats, sizeof(stats));
  return {options_.confirm ? stats.confirmed_events : stats.shipped_events, stats.refused_events};
}

}  // namespace outrider::sidecar
