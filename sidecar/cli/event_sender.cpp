#include "sidecar/cli/event_sender.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/refusal.hpp"

namespace outrider::sidecar {
namespace {

constexpr Duration flush_slice = std::chrono::milliseconds(20);

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

EventSender::Outcome EventSender::finish(bool is_impatient) {
  const auto deadline = std::chrono::steady_clock::now() + options_.timeout;
  outrider_status flushed = OUTRIDER_TIMEOUT;
  for (bool is_over = false; !is_over && flushed != OUTRIDER_OK;) {
    const auto left = deadline - std::chrono::steady_clock::now();
    // In slices, to look at the refusals; a flush without confirm waits for no answers.
    const Duration slice =
        options_.confirm ? std::min<Duration>(left, flush_slice) : Duration(left);
    flushed = outrider_flush(client_.get(), to_ms(std::max(slice, Duration{})));
    const bool is_refused = is_impatient && proto::is_for_later(stats().last_refusal);
    is_over = !options_.confirm || is_refused || std::chrono::steady_clock::now() >= deadline;
  }
  outrider_close(client_.get(), flushed == OUTRIDER_OK ? to_ms(options_.timeout) : 0);
  const outrider_stats end = stats();
  if (options_.confirm) {
    return {
        .sent = end.confirmed_events, .refused = end.refused_events, .unknown = end.expired_events};
  }
  return {.sent = end.handed_over_events,
          .lost = end.dropped[OUTRIDER_DROPPED_LINGER],
          .unknown = end.unknown_events};
}

outrider_stats EventSender::stats() const {
  outrider_stats stats{};
  outrider_stats_read(client_.get(), &stats, sizeof(stats));
  return stats;
}

std::string EventSender::last_refusal() const {
  const std::uint32_t number = stats().last_refusal;
  for (const proto::RefusalRow& row : proto::refusals) {
    if (static_cast<std::uint32_t>(row.refusal) != number) continue;
    return std::string(row.name) + ": " + std::string(row.sentence);
  }
  return number == 0 ? std::string() : "refusal " + std::to_string(number);
}

std::string EventSender::obstacle() const {
  constexpr std::string_view scheme = "ipc://";
  const std::string& endpoint = options_.used_endpoint();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!endpoint.starts_with(scheme) ||
      endpoint.size() - scheme.size() >= sizeof(address.sun_path)) {
    return {};
  }
  endpoint.copy(address.sun_path, sizeof(address.sun_path) - 1, scheme.size());
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return {};
  const int connected = ::connect(probe, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  const int error = connected == 0 ? 0 : errno;
  ::close(probe);
  switch (error) {
    case 0:
    case EAGAIN:
      return {};
    case ENOENT:
      return "there is no socket; is the sidecar running, and does it listen there?";
    case ECONNREFUSED:
      return "nobody listens there any more; is the sidecar running?";
    case EACCES:
      return "permission denied; ingest.socket_group and ingest.socket_mode say who may";
    default:
      return std::strerror(error);
  }
}

}  // namespace outrider::sidecar
