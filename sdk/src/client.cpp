#include "sdk/src/client.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <new>

#include <time.h>

namespace outrider::sdk {
namespace {

constexpr std::uint64_t buffer_bytes_min = 64U << 10U;
constexpr std::uint64_t buffer_bytes_limit = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t frame_bytes_min = 4U << 10U;
constexpr std::uint32_t interval_ms_limit = std::numeric_limits<int>::max();
constexpr int evictions_max = 64;

SteadyTime after(std::uint32_t timeout_ms) {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
}

std::uint64_t wall_clock_ns() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);  // answered by the vDSO, without a system call
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

outrider_options default_options() {
  outrider_options options{};
  options.struct_bytes = sizeof options;
  options.endpoint = "ipc:///run/outrider/outrider.sock";
  options.buffer_bytes_max = 8U << 20U;
  options.when_full = OUTRIDER_DROP_NEWEST;
  options.event_bytes_max = 1U << 20U;
  options.frame_bytes_max = 256U << 10U;
  options.frame_delay_ms = 2;
  options.send_frames_max = 16;
  options.reconnect_initial_ms = 100;
  options.reconnect_max_ms = 5000;
  options.linger_ms = 1000;
  return options;
}

bool read_options(const outrider_options& in, ClientOptions& out) {
  if (in.endpoint == nullptr || !is_usable_endpoint(in.endpoint)) return false;
  if (in.buffer_bytes_max < buffer_bytes_min || in.buffer_bytes_max > buffer_bytes_limit ||
      in.when_full > OUTRIDER_DROP_OLDEST || in.event_bytes_max == 0 ||
      in.frame_bytes_max < frame_bytes_min || in.frame_delay_ms > interval_ms_limit ||
      in.send_frames_max == 0 || in.send_frames_max > interval_ms_limit ||
      in.reconnect_initial_ms == 0 || in.reconnect_max_ms < in.reconnect_initial_ms ||
      in.reconnect_max_ms > interval_ms_limit || in.linger_ms > interval_ms_limit) {
    return false;
  }
  out.shipper.link.endpoint = in.endpoint;
  out.shipper.link.send_frames_max = static_cast<int>(in.send_frames_max);
  out.shipper.link.reconnect_initial_ms = static_cast<int>(in.reconnect_initial_ms);
  out.shipper.link.reconnect_max_ms = static_cast<int>(in.reconnect_max_ms);
  out.shipper.link.shared_context = in.zmq_context;
  out.shipper.frame_bytes_max = in.frame_bytes_max;
  out.shipper.frame_delay_ms = static_cast<long>(in.frame_delay_ms);
  out.buffer_bytes_max = in.buffer_bytes_max;
  out.event_bytes_max = std::min<std::uint64_t>(in.event_bytes_max, in.buffer_bytes_max / 2);
  out.drop_oldest = in.when_full == OUTRIDER_DROP_OLDEST;
  out.linger_ms = in.linger_ms;
  return true;
}

Client::Client(const ClientOptions& options)
    : options_(options), buffer_(options.buffer_bytes_max) {}

Client::~Client() {
  delete shipper_.load();
}

outrider_status Client::emit(const outrider_event& event) {
  WireEvent wire;
  const outrider_status status = encode(event, wire);
  if (status != OUTRIDER_OK) return status;
  Append result = append(wire);
  if (result == Append::full && options_.drop_oldest) result = append_evicting(wire);
  return conclude(result);
}

outrider_status Client::emit_wait(const outrider_event& event, std::uint32_t timeout_ms) {
  WireEvent wire;
  const outrider_status status = encode(event, wire);
  if (status != OUTRIDER_OK) return status;
  Append result = append(wire);
  Shipper* const running = result == Append::full ? shipper() : nullptr;
  if (running == nullptr) return conclude(result);
  const bool has_room = running->wait_for_room(after(timeout_ms), [&] {
    result = append(wire);
    return result != Append::full;
  });
  const outrider_status concluded = conclude(result);
  return has_room ? concluded : OUTRIDER_TIMEOUT;
}

outrider_status Client::encode(const outrider_event& event, WireEvent& out) {
  const std::string_view topic = event.topic == nullptr
                                     ? std::string_view{}
                                     : std::string_view(event.topic, event.topic_bytes);
  if (!proto::is_valid_topic(topic)) {
    return refuse(OUTRIDER_BAD_TOPIC, OUTRIDER_DROPPED_EVENT_TOPIC);
  }
  if (event.data_bytes > options_.event_bytes_max) {
    return refuse(OUTRIDER_TOO_LARGE, OUTRIDER_DROPPED_EVENT_TOO_LARGE);
  }
  out.data = {static_cast<const std::uint8_t*>(event.data),
              event.data == nullptr ? 0 : event.data_bytes};
  if (out.data.empty()) return refuse(OUTRIDER_BAD_DATA, OUTRIDER_DROPPED_EVENT_DATA);

  const std::uint32_t attributes = attribute_count(event);
  out.attributes_bytes = 0;
  if (attributes > 0) {
    if (!are_valid_attributes(event)) {
      return refuse(OUTRIDER_BAD_ATTRIBUTES, OUTRIDER_DROPPED_EVENT_ATTRIBUTES);
    }
    out.attributes_bytes = static_cast<std::size_t>(
        write_attributes(out.attributes.data(), event, attributes) - out.attributes.data());
  }
  const std::uint64_t time_ns = event.time_ns != 0 ? event.time_ns : wall_clock_ns();
  out.head_bytes = static_cast<std::size_t>(
      proto::write_event_head(out.head.data(), attributes > 0 ? 4 : 3, topic, time_ns) -
      out.head.data());
  if (out.bytes() > options_.event_bytes_max) {
    return refuse(OUTRIDER_TOO_LARGE, OUTRIDER_DROPPED_EVENT_TOO_LARGE);
  }
  return OUTRIDER_OK;
}

Append Client::append(const WireEvent& event) {
  return buffer_.append(event.bytes(), [&](std::uint8_t* out) {
    std::memcpy(out, event.head.data(), event.head_bytes);
    out += event.head_bytes;
    std::memcpy(out, event.data.data(), event.data.size());
    out += event.data.size();
    std::memcpy(out, event.attributes.data(), event.attributes_bytes);
  });
}

Append Client::append_evicting(const WireEvent& event) {
  Append result = Append::full;
  for (int i = 0; i < evictions_max && result == Append::full; ++i) {
    const std::uint64_t events = buffer_.evict();
    evicted_events_.fetch_add(events);
    drops_.count(OUTRIDER_DROPPED_BUFFER_FULL, events);
    result = append(event);
  }
  return result;
}

outrider_status Client::conclude(Append result) {
  if (result == Append::full) return refuse(OUTRIDER_FULL, OUTRIDER_DROPPED_BUFFER_FULL);
  if (result == Append::closed) {
    return is_forked_.load() ? refuse(OUTRIDER_FORKED, OUTRIDER_DROPPED_FORKED)
                             : refuse(OUTRIDER_CLOSED, OUTRIDER_DROPPED_CLOSED);
  }
  if (Shipper* running = shipper()) {
    running->wake_if_asleep();
    if (result == Append::appended_to_new_chunk && buffer_.is_half_used()) {
      running->wake_if_gathering();
    }
  }
  return OUTRIDER_OK;
}

outrider_status Client::refuse(outrider_status status, outrider_drop_reason reason) {
  drops_.count(reason);
  if (Shipper* running = shipper_.load(std::memory_order_acquire)) running->wake_if_asleep();
  return status;
}

Shipper* Client::shipper() {
  Shipper* running = shipper_.load(std::memory_order_acquire);
  return running != nullptr ? running : start_shipper();
}

Shipper* Client::start_shipper() {
  const std::lock_guard guard(mutex_);
  Shipper* running = shipper_.load(std::memory_order_relaxed);
  if (running != nullptr || is_closed_) return running;
  try {
    auto started = std::make_unique<Shipper>(options_.shipper, buffer_, drops_);
    if (!started->start()) return nullptr;
    running = started.release();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  shipper_.store(running, std::memory_order_release);
  return running;
}

outrider_status Client::flush(std::uint32_t timeout_ms) {
  const SteadyTime deadline = after(timeout_ms);
  if (shipper_.load(std::memory_order_acquire) == nullptr && buffer_.is_empty()) {
    return OUTRIDER_OK;
  }
  Shipper* const running = shipper();
  return running != nullptr && running->flush(deadline) ? OUTRIDER_OK : OUTRIDER_TIMEOUT;
}

outrider_status Client::close(std::uint32_t linger_ms) {
  buffer_.close();
  Shipper* running;
  {
    const std::lock_guard guard(mutex_);
    is_closed_ = true;
    running = shipper_.load(std::memory_order_relaxed);
  }
  if (running != nullptr) return running->close(after(linger_ms)) ? OUTRIDER_OK : OUTRIDER_TIMEOUT;
  const std::uint64_t left_events = buffer_.clear();
  drops_.count(OUTRIDER_DROPPED_LINGER, left_events);
  return left_events == 0 ? OUTRIDER_OK : OUTRIDER_TIMEOUT;
}

bool Client::can_be_freed() {
  Shipper* const running = shipper_.load(std::memory_order_acquire);
  return running == nullptr || running->is_finished();
}

outrider_stats Client::stats() {
  outrider_stats stats{};
  stats.struct_bytes = sizeof stats;
  const std::uint64_t accepted = buffer_.accepted_events();
  // Dropped after they had been accepted: evicted, malformed, or left over at the end.
  std::uint64_t dropped_later = evicted_events_.load() + drops_.of(OUTRIDER_DROPPED_LINGER);
  std::uint64_t dropped_total = 0;
  for (int i = 0; i < OUTRIDER_DROP_REASONS; ++i) {
    stats.dropped[i] = drops_.of(static_cast<outrider_drop_reason>(i));
    dropped_total += stats.dropped[i];
  }
  if (const Shipper* running = shipper_.load(std::memory_order_acquire)) {
    stats.shipped_events = running->shipped_events();
    stats.shipped_frames = running->shipped_frames();
    dropped_later += running->malformed_events();
    stats.connected = running->is_connected() ? 1 : 0;
  }
  stats.emitted = accepted + dropped_total - dropped_later;
  stats.buffered_events = accepted - std::min(accepted, stats.shipped_events + dropped_later);
  stats.buffered_bytes = buffer_.waiting_bytes();
  return stats;
}

void Client::before_fork() {
  mutex_.lock();
  buffer_.lock();
}

void Client::after_fork_in_parent() {
  buffer_.unlock();
  mutex_.unlock();
}

void Client::after_fork_in_child() {
  buffer_.unlock();
  if (Shipper* inherited = shipper_.exchange(nullptr)) Shipper::abandon(inherited);
  buffer_.restart();
  drops_.restart();
  evicted_events_.store(0);
  is_forked_.store(options_.shipper.link.shared_context != nullptr);
  if (is_closed_ || is_forked_.load()) buffer_.close();
  mutex_.unlock();
}

}  // namespace outrider::sdk
