#include "sdk/src/client.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <limits>
#include <memory>
#include <new>
#include <optional>

#include "proto/msgpack_reader.hpp"

namespace outrider::sdk {
namespace {

constexpr std::uint64_t buffer_bytes_min = 64U << 10U;
constexpr std::uint64_t buffer_bytes_limit = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t frame_bytes_min = 4U << 10U;
constexpr std::uint32_t interval_ms_limit = std::numeric_limits<int>::max();
/// A confirming sidecar that hangs is found out after twice that at most.
constexpr int heartbeat_ms = 10'000;
/// Other threads may use the room that one has made.
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

/// Why an event was dropped to which emit answers with this status.
outrider_drop_reason drop_reason(outrider_status status) {
  switch (status) {
    case OUTRIDER_BAD_TOPIC:
      return OUTRIDER_DROPPED_EVENT_TOPIC;
    case OUTRIDER_BAD_DATA:
      return OUTRIDER_DROPPED_EVENT_DATA;
    case OUTRIDER_TOO_LARGE:
      return OUTRIDER_DROPPED_EVENT_TOO_LARGE;
    case OUTRIDER_BAD_ATTRIBUTES:
      return OUTRIDER_DROPPED_EVENT_ATTRIBUTES;
    case OUTRIDER_CLOSED:
      return OUTRIDER_DROPPED_CLOSED;
    case OUTRIDER_FORKED:
      return OUTRIDER_DROPPED_FORKED;
    default:
      return OUTRIDER_DROPPED_BUFFER_FULL;
  }
}

/// Whether the sidecar would accept an event's data.
bool is_whole_value(proto::ByteView data) {
  proto::MsgpackReader reader(data);
  return reader.skip_value() == proto::ReadStatus::ok && reader.at_end();
}

/// The object that a caller of deliver_wait waits on; the courier may set it long after the caller
/// is gone.
class Waiter {
 public:
  static void tell(void* user, outrider_status status) {
    const std::unique_ptr<std::shared_ptr<Waiter>> self(
        static_cast<std::shared_ptr<Waiter>*>(user));
    const std::lock_guard guard((*self)->mutex_);
    (*self)->status_ = status;
    (*self)->changed_.notify_one();
  }

  outrider_status wait(SteadyTime deadline) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [&] { return status_.has_value(); });
    return status_.value_or(OUTRIDER_TIMEOUT);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<outrider_status> status_;
};

}  // namespace

outrider_options default_options() {
  outrider_options options{};
  options.struct_bytes = sizeof options;
  options.endpoint = "ipc:///run/outrider/outrider.sock";
  options.buffer_bytes_max = 8U << 20U;
  options.when_full = OUTRIDER_DROP_NEWEST;
  options.event_bytes_max = 1U << 20U;
  options.frame_bytes_max = proto::sdk_frame_bytes;
  options.frame_delay_ms = 2;
  options.send_frames_max = 16;
  options.reconnect_initial_ms = 100;
  options.reconnect_max_ms = 5000;
  options.linger_ms = 1000;
  options.confirm_endpoint = "ipc:///run/outrider/confirm.sock";
  options.deliver_bytes_max = 8U << 20U;
  return options;
}

bool read_options(const outrider_options& in, ClientOptions& out) {
  for (const char* endpoint : {in.endpoint, in.confirm_endpoint}) {
    if (endpoint == nullptr || !is_usable_endpoint(endpoint)) return false;
    // Nobody is ever there in a context of the client's own.
    if (is_inproc_endpoint(endpoint) && in.zmq_context == nullptr) return false;
  }
  if (in.deliver_bytes_max < buffer_bytes_min || in.deliver_bytes_max > buffer_bytes_limit ||
      in.buffer_bytes_max < buffer_bytes_min || in.buffer_bytes_max > buffer_bytes_limit ||
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
  out.shipper.link.inproc_context = in.zmq_context;
  out.shipper.frame_bytes_max = in.frame_bytes_max;
  out.shipper.frame_delay_ms = static_cast<long>(in.frame_delay_ms);
  out.courier.link = out.shipper.link;
  out.courier.link.kind = LinkKind::dealer;
  out.courier.link.heartbeat_ms = heartbeat_ms;
  out.courier.link.endpoint = in.confirm_endpoint;
  out.courier.link.send_frames_max = 2 * SendWindow::frames_in_flight_max;
  out.courier.bytes_max = in.deliver_bytes_max;
  out.courier.frame_bytes_max = in.frame_bytes_max;
  out.buffer_bytes_max = in.buffer_bytes_max;
  out.event_bytes_max = in.event_bytes_max;
  out.emit_bytes_max =
      std::min<std::size_t>(in.event_bytes_max, ChunkPool::event_bytes_max(in.buffer_bytes_max));
  out.drop_oldest = in.when_full == OUTRIDER_DROP_OLDEST;
  out.linger_ms = in.linger_ms;
  return true;
}

Client::Client(const ClientOptions& options)
    : options_(options), buffer_(options.buffer_bytes_max) {}

Client::~Client() {
  delete shipper_.load();
  delete courier_.load();
}

outrider_status Client::emit(const outrider_event& event) {
  WireEvent wire;
  const outrider_status status = encode(event, options_.emit_bytes_max, wire);
  if (status != OUTRIDER_OK) return refuse(status);
  Append result = append(wire);
  if (result == Append::full && options_.drop_oldest) result = append_evicting(wire);
  return conclude(result);
}

outrider_status Client::emit_wait(const outrider_event& event, std::uint32_t timeout_ms) {
  WireEvent wire;
  const outrider_status status = encode(event, options_.emit_bytes_max, wire);
  if (status != OUTRIDER_OK) return refuse(status);
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

outrider_status Client::encode(const outrider_event& event, std::size_t bytes_max, WireEvent& out) {
  const std::string_view topic = event.topic == nullptr
                                     ? std::string_view{}
                                     : std::string_view(event.topic, event.topic_bytes);
  if (!proto::is_valid_topic(topic)) return OUTRIDER_BAD_TOPIC;
  if (event.data_bytes > bytes_max) return OUTRIDER_TOO_LARGE;
  out.data = {static_cast<const std::uint8_t*>(event.data),
              event.data == nullptr ? 0 : event.data_bytes};
  if (out.data.empty()) return OUTRIDER_BAD_DATA;

  const std::uint32_t attributes = attribute_count(event);
  out.attributes_bytes = 0;
  if (attributes > 0) {
    if (!are_valid_attributes(event)) return OUTRIDER_BAD_ATTRIBUTES;
    const std::uint64_t now_ns = event.delay_ms > 0 ? wall_clock_ns() : 0;
    out.attributes_bytes = static_cast<std::size_t>(
        write_attributes(out.attributes.data(), event, attributes, now_ns) - out.attributes.data());
  }
  if (event.time_ns > time_ns_max) return OUTRIDER_BAD_ATTRIBUTES;
  const std::uint64_t time_ns = event.time_ns != 0 ? event.time_ns : wall_clock_ns();
  out.head_bytes = static_cast<std::size_t>(
      proto::write_event_head(out.head.data(), attributes > 0 ? 4 : 3, topic, time_ns) -
      out.head.data());
  return out.bytes() > bytes_max ? OUTRIDER_TOO_LARGE : OUTRIDER_OK;
}

Append Client::append(const WireEvent& event) {
  return buffer_.append(event.bytes(), event.attributes_bytes, [&](std::uint8_t* out) {
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
    const std::uint64_t events = buffer_.make_room(event.bytes());
    drops_.count_accepted(OUTRIDER_DROPPED_BUFFER_FULL, events);
    result = append(event);
    if (events == 0) break;
  }
  return result;
}

outrider_status Client::conclude(Append result) {
  if (result == Append::full) return refuse(OUTRIDER_FULL);
  if (result == Append::closed) {
    return refuse(is_forked_.load() ? OUTRIDER_FORKED : OUTRIDER_CLOSED);
  }
  if (Shipper* running = shipper()) {
    running->wake_if_asleep();
    if (result == Append::appended_to_new_chunk && buffer_.is_half_used()) {
      running->wake_if_gathering();
    }
  }
  return OUTRIDER_OK;
}

outrider_status Client::refuse(outrider_status status) {
  drops_.count_refused(drop_reason(status));
  if (Shipper* running = shipper_.load(std::memory_order_acquire)) running->wake_if_asleep();
  return status;
}

Shipper* Client::shipper() {
  Shipper* running = nullptr;
  static_cast<void>(find(shipper_, running, options_.shipper, buffer_, drops_));
  return running;
}

template <typename Runner, typename... Args>
outrider_status Client::find(std::atomic<Runner*>& runner, Runner*& running, Args&... args) {
  running = runner.load(std::memory_order_acquire);
  if (running != nullptr) return OUTRIDER_OK;
  const std::lock_guard guard(mutex_);
  running = runner.load(std::memory_order_relaxed);
  if (running != nullptr) return OUTRIDER_OK;
  if (is_forked_.load()) return OUTRIDER_FORKED;
  if (is_closed_) return OUTRIDER_CLOSED;
  try {
    auto started = std::make_unique<Runner>(args...);
    if (!started->start()) return OUTRIDER_NO_MEMORY;
    running = started.release();
  } catch (const std::bad_alloc&) {
    return OUTRIDER_NO_MEMORY;
  }
  runner.store(running, std::memory_order_release);
  return OUTRIDER_OK;
}

outrider_status Client::deliver(const outrider_event& event, Delivery delivery) {
  const outrider_status status = take_for_delivery(event, delivery);
  if (status != OUTRIDER_OK) rejected_deliveries_.fetch_add(1);
  return status;
}

outrider_status Client::take_for_delivery(const outrider_event& event, Delivery delivery) {
  WireEvent wire;
  outrider_status status = encode(event, options_.event_bytes_max, wire);
  if (status != OUTRIDER_OK) return status;
  if (!is_whole_value(wire.data)) return OUTRIDER_BAD_DATA;
  Courier* running = nullptr;
  status = find(courier_, running, options_.courier);
  if (status != OUTRIDER_OK) return status;
  const std::array<proto::ByteView, 3> pieces{
      proto::ByteView(wire.head).first(wire.head_bytes), wire.data,
      proto::ByteView(wire.attributes).first(wire.attributes_bytes)};
  try {
    return running->deliver(pieces, delivery);
  } catch (const std::bad_alloc&) {
    return OUTRIDER_NO_MEMORY;
  }
}

outrider_status Client::deliver_wait(const outrider_event& event, std::uint32_t timeout_ms) {
  const SteadyTime deadline = after(timeout_ms);
  try {
    const auto waiter = std::make_shared<Waiter>();
    auto told = std::make_unique<std::shared_ptr<Waiter>>(waiter);
    const outrider_status status = deliver(event, {Waiter::tell, told.get()});
    if (status != OUTRIDER_OK) return status;
    // From here on it belongs to Waiter::tell.
    static_cast<void>(told.release());
    return waiter->wait(deadline);
  } catch (const std::bad_alloc&) {
    return OUTRIDER_NO_MEMORY;
  }
}

outrider_status Client::flush(std::uint32_t timeout_ms) {
  const SteadyTime deadline = after(timeout_ms);
  const bool is_shipped = flush_buffer(deadline);
  Courier* const courier = courier_.load(std::memory_order_acquire);
  const bool is_confirmed = courier == nullptr || courier->flush(deadline);
  return is_shipped && is_confirmed ? OUTRIDER_OK : OUTRIDER_TIMEOUT;
}

bool Client::flush_buffer(SteadyTime deadline) {
  if (shipper_.load(std::memory_order_acquire) == nullptr && buffer_.is_empty()) return true;
  Shipper* const running = shipper();
  return running != nullptr && running->flush(deadline);
}

outrider_status Client::close(std::uint32_t linger_ms) {
  begin_close(linger_ms);
  return finish_close();
}

void Client::begin_close(std::uint32_t linger_ms) {
  buffer_.close();
  const std::lock_guard guard(mutex_);
  is_closed_ = true;
  const SteadyTime deadline = after(linger_ms);
  if (Courier* const courier = courier_.load(std::memory_order_relaxed)) courier->close(deadline);
  if (Shipper* const shipper = shipper_.load(std::memory_order_relaxed)) shipper->close(deadline);
}

outrider_status Client::finish_close() {
  Shipper* const shipper = shipper_.load(std::memory_order_acquire);
  Courier* const courier = courier_.load(std::memory_order_acquire);
  bool is_complete = true;
  if (shipper != nullptr) {
    is_complete = shipper->close_wait();
  } else {
    const std::uint64_t left_events = buffer_.clear();
    drops_.count_accepted(OUTRIDER_DROPPED_LINGER, left_events);
    is_complete = left_events == 0;
  }
  if (courier != nullptr && !courier->close_wait()) is_complete = false;
  return is_complete ? OUTRIDER_OK : OUTRIDER_TIMEOUT;
}

bool Client::can_be_freed() {
  Shipper* const shipper = shipper_.load(std::memory_order_acquire);
  Courier* const courier = courier_.load(std::memory_order_acquire);
  return (shipper == nullptr || shipper->is_finished()) &&
         (courier == nullptr || courier->is_finished());
}

outrider_stats Client::stats() {
  outrider_stats stats{};
  stats.struct_bytes = sizeof stats;
  // Each number is read once: two reads could see two different sums.
  std::uint64_t refused = 0;
  std::uint64_t dropped_later = 0;
  for (std::size_t i = 0; i < OUTRIDER_DROP_REASONS; ++i) {
    const std::uint64_t accepted = drops_.accepted(i);
    stats.dropped[i] = drops_.refused(i) + accepted;
    dropped_later += accepted;
    refused += stats.dropped[i] - accepted;
  }
  if (const Shipper* running = shipper_.load(std::memory_order_acquire)) {
    stats.handed_over_events = running->handed_over_events();
    stats.unknown_events = running->unknown_events();
    stats.shipped_events = running->shipped_events();
    stats.shipped_frames = running->shipped_frames();
    stats.connected = running->is_connected() ? 1 : 0;
  }
  // Last, so that it holds whatever the other numbers have seen.
  const std::uint64_t accepted = buffer_.accepted_events();
  stats.buffered_events = accepted - std::min(accepted, stats.shipped_events + dropped_later);
  stats.emitted = stats.shipped_events + stats.buffered_events + dropped_later + refused;
  stats.buffered_bytes = buffer_.waiting_bytes();

  stats.rejected_deliveries = rejected_deliveries_.load();
  if (Courier* const courier = courier_.load(std::memory_order_acquire)) {
    const DeliveryCounts counts = courier->counts();
    stats.delivered = counts.taken_events;
    stats.confirmed_events = counts.confirmed_events;
    stats.refused_events = counts.refused_events;
    stats.expired_events = counts.expired_events;
    stats.unconfirmed_events = counts.unconfirmed_events;
    stats.unconfirmed_bytes = counts.unconfirmed_bytes;
    stats.unanswered_events = counts.unanswered_events;
    stats.last_refusal = courier->last_refusal();
    stats.confirm_connected = courier->is_connected() ? 1 : 0;
  }
  stats.delivered += stats.rejected_deliveries;
  return stats;
}

const char* Client::obstacle() {
  Courier* const courier = courier_.load(std::memory_order_acquire);
  const char* const why = courier == nullptr ? obstacles::none : courier->obstacle();
  if (*why != '\0') return why;
  const outrider_stats now = stats();
  const std::uint64_t late_events =
      now.buffered_events + now.unknown_events + now.dropped[OUTRIDER_DROPPED_LINGER];
  if (late_events == 0) return obstacles::none;
  const Shipper* const shipper = shipper_.load(std::memory_order_acquire);
  return shipper == nullptr ? obstacles::no_means : shipper->obstacle();
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
  if (Shipper* inherited = shipper_.exchange(nullptr)) inherited->abandon();
  if (Courier* inherited = courier_.exchange(nullptr)) inherited->abandon();
  rejected_deliveries_.store(0);
  buffer_.restart();
  drops_.restart();
  is_forked_.store(is_inproc_endpoint(options_.shipper.link.endpoint) ||
                   is_inproc_endpoint(options_.courier.link.endpoint));
  if (is_closed_ || is_forked_.load()) buffer_.close();
  mutex_.unlock();
}

}  // namespace outrider::sdk
