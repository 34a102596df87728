// Outrider for C++20: hand events to the local sidecar in about a hundred nanoseconds, or have it
// confirm that they are safe.
//
//     outrider::Client client;
//     client.emit("orders.paid", {{"amount", 49.99}, {"user_id", 42}});
//     client.deliver("invoices.due", {{"invoice", 7}}).get() == outrider::Status::ok  // on disk
//
// This is the one header to include. packing.hpp describes the forms of an event's data: a list of
// fields, any value that msgpack-c can pack, or a function that writes it.
//
// emit is for speed. It never blocks and, once a thread's buffer has its size, allocates nothing;
// an event that does not fit is dropped and counted. deliver is for certainty. It copies the event
// and keeps it until the sidecar has it on disk. Neither waits for the sidecar; emit_wait and
// deliver_wait do.
//
// Every call copies topic, data and attributes before it returns. Errors are a Status; nothing
// throws. A topic is 1 to 255 bytes: tokens of [A-Za-z0-9_-], joined by dots. Times have the
// precision of their types; time limits are taken in whole milliseconds, and a negative one is 0.
//
// Threads: every function of a client may be called from several threads at the same time, except
// its construction, move and destruction. Fork and exit: see outrider.h, on which this header is
// built.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <future>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "outrider/outrider.h"
#include "outrider/packing.hpp"

namespace outrider {
inline namespace v0_1_0 {

/// The result of a call. Full is an answer, not an error: a caller that cannot wait drops the
/// event, and the drop is counted.
enum class Status : int {
  ok = OUTRIDER_OK,
  full = OUTRIDER_FULL,            ///< no room in the client; the event was not taken
  bad_topic = OUTRIDER_BAD_TOPIC,  ///< not as described above
  bad_data = OUTRIDER_BAD_DATA,    ///< no data, or packing it failed
  too_large = OUTRIDER_TOO_LARGE,  ///< more than event_bytes_max, or than the sidecar takes
  bad_attributes = OUTRIDER_BAD_ATTRIBUTES,      ///< one of them is invalid
  closed = OUTRIDER_CLOSED,                      ///< the client is closed
  forked = OUTRIDER_FORKED,                      ///< inproc, in a forked child
  timeout = OUTRIDER_TIMEOUT,                    ///< the timeout passed first
  invalid_argument = OUTRIDER_INVALID_ARGUMENT,  ///< an option that cannot work, or no client
  no_memory = OUTRIDER_NO_MEMORY,
  refused = OUTRIDER_REFUSED,  ///< the sidecar will never take the event
};

/// A sentence for people, which lives as long as the program.
inline const char* text(Status status) noexcept {
  return outrider_status_text(static_cast<outrider_status>(status));
}

/// The fields of outrider_options (outrider.h has their units and limits), set to their defaults.
/// The texts that it points to must exist until the client is made.
///
///     outrider::Options options;
///     options.buffer_bytes_max = 64U << 20U;
///     outrider::Client client(options);
struct Options : outrider_options {
  Options() noexcept : outrider_options{} { outrider_options_init(this, sizeof(outrider_options)); }
};

enum class Priority : int { low = -1, normal = 0, high = 1 };

/// Optional attributes of an event.
///
///     client.emit("orders.paid", order, {.key = "user-42", .ttl = std::chrono::minutes(5)});
struct Attributes {
  std::string_view id{};                         ///< 1 to 64 bytes of visible ASCII, no spaces; or
  std::span<const std::uint8_t> uuid{};          ///< 16 bytes
  std::string_view key{};                        ///< ordering key, at most 255 bytes
  std::string_view trace{};                      ///< W3C traceparent, at most 255 bytes
  std::chrono::system_clock::time_point time{};  ///< when it happened, if not now
  std::chrono::system_clock::time_point at{};    ///< not delivered before; 2000 or later
  std::chrono::milliseconds ttl{};               ///< not after time + ttl, or at + ttl; 0: no limit
  Priority priority = Priority::normal;
  std::chrono::milliseconds delay{};  ///< not delivered before now + delay; not with `at`
};

/// A function that can be called with the outcome of a delivered event.
template <typename T>
concept ConfirmFunction = requires(std::decay_t<T>& confirm) {
  confirm(Status::ok);
};

/// One connection to the sidecar, for all threads of a process. It can be moved, not copied; a
/// moved-from client returns Status::invalid_argument. The destructor closes it within the option
/// linger_ms.
class Client {
 public:
  /// Starts no thread and connects to nothing before the first event. If status() is not ok, an
  /// option is invalid or there is no memory, and every call returns Status::invalid_argument.
  explicit Client(const Options& options = {}) noexcept { open(options); }

  /// With all defaults but the endpoint: "ipc:///run/outrider/outrider.sock".
  explicit Client(const std::string& endpoint) noexcept {
    Options options;
    options.endpoint = endpoint.c_str();
    open(options);
  }

  Status status() const noexcept { return status_; }

  /// Takes an event for sending. Never blocks. Status::ok: it is in the buffer. Any other status:
  /// it was dropped, and counted by its reason in stats().dropped.
  ///
  ///     client.emit("orders.paid", {{"amount", 49.99}, {"user_id", 42}});
  ///     client.emit("orders.paid", order, {.id = order.id});
  Status emit(std::string_view topic, std::initializer_list<Field> fields) noexcept {
    return emit_data(topic, fields);
  }
  Status emit(std::string_view topic, std::initializer_list<Field> fields,
              const Attributes& attributes) noexcept {
    return emit_event(topic, fields, attributes);
  }
  template <typename T>
  Status emit(std::string_view topic, const T& data) noexcept {
    return emit_data(topic, data);
  }
  template <typename T>
  Status emit(std::string_view topic, const T& data, const Attributes& attributes) noexcept {
    return emit_event(topic, data, attributes);
  }

  /// The same, but waits for room instead of dropping. Status::timeout: there was no room in time,
  /// and the event was dropped.
  ///
  ///     client.emit_wait(std::chrono::milliseconds(50), "orders.paid", {{"amount", 49.99}});
  Status emit_wait(std::chrono::milliseconds timeout, std::string_view topic,
                   std::initializer_list<Field> fields,
                   const Attributes& attributes = {}) noexcept {
    return emit_event_wait(timeout, topic, fields, attributes);
  }
  template <typename T>
  Status emit_wait(std::chrono::milliseconds timeout, std::string_view topic, const T& data,
                   const Attributes& attributes = {}) noexcept {
    return emit_event_wait(timeout, topic, data, attributes);
  }

  /// Keeps an event until the sidecar confirms that it is on disk, and sends it again as often as
  /// necessary. The future then gets Status::ok. Status::refused: the sidecar will never take the
  /// event. Status::timeout: the client was closed first, and the sidecar may or may not have the
  /// event. If the event was not taken, for example with Status::full, the future is ready at once.
  /// A future that is not valid(): there was no memory for it.
  ///
  /// Without a sidecar the future waits until there is one, so wait with a time limit:
  ///
  ///     std::future<outrider::Status> confirmed = client.deliver("invoices.due", {{"invoice",
  ///     7}}); if (confirmed.wait_for(std::chrono::seconds(5)) == std::future_status::ready) ...
  std::future<Status> deliver(std::string_view topic, std::initializer_list<Field> fields,
                              const Attributes& attributes = {}) noexcept {
    return deliver_with_future(topic, fields, attributes);
  }
  template <typename T>
  std::future<Status> deliver(std::string_view topic, const T& data,
                              const Attributes& attributes = {}) noexcept {
    return deliver_with_future(topic, data, attributes);
  }

  /// The same with a function instead of a future. Status::ok: the event was taken, and
  /// `confirm(Status)` is called once, on a thread of the library. It may deliver and emit. It must
  /// not wait, flush or close, and must return quickly: no other event is confirmed meanwhile.
  /// Exceptions that it throws are ignored. Any other status: the event was not taken, and
  /// `confirm` is not called.
  ///
  ///     client.deliver("invoices.due", {{"invoice", 7}}, [](outrider::Status status) {
  ///       if (status != outrider::Status::ok) ++lost;
  ///     });
  template <ConfirmFunction Confirm>
  Status deliver(std::string_view topic, std::initializer_list<Field> fields, Confirm&& confirm,
                 const Attributes& attributes = {}) noexcept {
    return deliver_with_function(topic, fields, std::forward<Confirm>(confirm), attributes);
  }
  template <typename T, ConfirmFunction Confirm>
  Status deliver(std::string_view topic, const T& data, Confirm&& confirm,
                 const Attributes& attributes = {}) noexcept {
    return deliver_with_function(topic, data, std::forward<Confirm>(confirm), attributes);
  }

  /// Waits for the confirmation. Status::timeout: not confirmed yet; the event is kept and may
  /// still be confirmed. Status::full and other statuses for an event that was not taken are
  /// returned at once.
  ///
  ///     client.deliver_wait(std::chrono::seconds(5), "invoices.due", {{"invoice", 7}});
  Status deliver_wait(std::chrono::milliseconds timeout, std::string_view topic,
                      std::initializer_list<Field> fields,
                      const Attributes& attributes = {}) noexcept {
    return deliver_event_wait(timeout, topic, fields, attributes);
  }
  template <typename T>
  Status deliver_wait(std::chrono::milliseconds timeout, std::string_view topic, const T& data,
                      const Attributes& attributes = {}) noexcept {
    return deliver_event_wait(timeout, topic, data, attributes);
  }

  /// True: every event emitted before this call is on its way to a connected sidecar, every event
  /// delivered before it has its answer, and the process may end. Call it at the end of a process
  /// or a job, not for every request: after an emit it makes a new connection.
  ///
  ///     if (!client.flush(std::chrono::seconds(1))) std::puts(client.obstacle());
  bool flush(std::chrono::milliseconds timeout) noexcept {
    return outrider_flush(handle(), milliseconds(timeout)) == OUTRIDER_OK;
  }

  /// Takes no more events, sends the buffered ones and waits for the unconfirmed ones, for little
  /// more than `linger`. Status::timeout: events may be lost; stats() has their number.
  ///
  ///     client.close(std::chrono::seconds(1));
  Status close(std::chrono::milliseconds linger) noexcept {
    return static_cast<Status>(outrider_close(handle(), milliseconds(linger)));
  }

  /// Counters since the client was made, or since the fork; outrider.h describes each.
  ///
  ///     client.stats().dropped[OUTRIDER_DROPPED_BUFFER_FULL]
  outrider_stats stats() const noexcept {
    outrider_stats stats{};
    outrider_stats_read(handle(), &stats, sizeof stats);
    return stats;
  }

  /// Why events wait, for the log after a timeout. Empty: the client knows of no obstacle. The text
  /// lives as long as the program.
  const char* obstacle() const noexcept { return outrider_obstacle_text(handle()); }

  /// For the functions of outrider.h; stays with this object.
  outrider_client* handle() const noexcept { return handle_.get(); }

 private:
  struct Free {
    void operator()(outrider_client* client) const noexcept { outrider_client_free(client); }
  };

  void open(const Options& options) noexcept {
    outrider_client* made = nullptr;
    status_ = static_cast<Status>(outrider_client_new(&options, &made));
    handle_.reset(made);
  }

  static std::uint32_t milliseconds(std::chrono::milliseconds duration) noexcept {
    constexpr std::int64_t milliseconds_max = INT32_MAX;
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(duration.count(), 0, milliseconds_max));
  }

  // Of negative times these are numbers that the library refuses for their size.
  static std::uint64_t nanoseconds(std::chrono::system_clock::time_point time) noexcept {
    const std::chrono::nanoseconds since = time.time_since_epoch();
    return static_cast<std::uint64_t>(since.count());
  }

  static outrider_event make_event(std::string_view topic, const Attributes& attributes,
                                   const char* data, std::size_t bytes) noexcept {
    outrider_event event{};
    event.struct_bytes = sizeof event;
    event.topic = topic.data();
    event.topic_bytes = topic.size();
    event.data = data;
    event.data_bytes = bytes;
    event.time_ns = nanoseconds(attributes.time);
    event.id_is_text = attributes.id.empty() ? 0 : 1;
    event.id = attributes.id.empty() ? static_cast<const void*>(attributes.uuid.data())
                                     : static_cast<const void*>(attributes.id.data());
    event.id_bytes = attributes.id.empty() ? attributes.uuid.size() : attributes.id.size();
    event.key = attributes.key.data();
    event.key_bytes = attributes.key.size();
    event.trace = attributes.trace.data();
    event.trace_bytes = attributes.trace.size();
    event.at_ns = nanoseconds(attributes.at);
    event.ttl_ms = static_cast<std::uint64_t>(attributes.ttl.count());
    event.priority = static_cast<std::int32_t>(attributes.priority);
    event.delay_ms = static_cast<std::uint64_t>(attributes.delay.count());
    return event;
  }

  // The public functions of one name take a list of fields or another value; these take both.
  template <typename T>
  Status emit_data(std::string_view topic, const T& data) noexcept {
    return static_cast<Status>(
        detail::send_packed(data, [&](const char* packed, std::size_t bytes) noexcept {
          return outrider_emit(handle(), topic.data(), topic.size(), packed, bytes);
        }));
  }

  /// Calls `send(event)`.
  template <typename T, typename Send>
  static Status send_event(std::string_view topic, const T& data, const Attributes& attributes,
                           const Send& send) noexcept {
    return static_cast<Status>(
        detail::send_packed(data, [&](const char* packed, std::size_t bytes) noexcept {
          const outrider_event event = make_event(topic, attributes, packed, bytes);
          return send(&event);
        }));
  }
  template <typename T>
  Status emit_event(std::string_view topic, const T& data, const Attributes& attributes) noexcept {
    return send_event(topic, data, attributes, [this](const outrider_event* event) {
      return outrider_emit_event(handle(), event);
    });
  }
  template <typename T>
  Status emit_event_wait(std::chrono::milliseconds timeout, std::string_view topic, const T& data,
                         const Attributes& attributes) noexcept {
    return send_event(topic, data, attributes, [&](const outrider_event* event) {
      return outrider_emit_wait(handle(), event, milliseconds(timeout));
    });
  }
  template <typename T>
  Status deliver_event(std::string_view topic, const T& data, const Attributes& attributes,
                       outrider_confirm_fn confirm, void* user) noexcept {
    return send_event(topic, data, attributes, [&](const outrider_event* event) {
      return outrider_deliver(handle(), event, confirm, user);
    });
  }
  template <typename T>
  Status deliver_event_wait(std::chrono::milliseconds timeout, std::string_view topic,
                            const T& data, const Attributes& attributes) noexcept {
    return send_event(topic, data, attributes, [&](const outrider_event* event) {
      return outrider_deliver_wait(handle(), event, milliseconds(timeout));
    });
  }

  template <typename Confirm>
  static void tell(void* user, outrider_status status) noexcept {
    const std::unique_ptr<Confirm> confirm(static_cast<Confirm*>(user));
    try {
      (*confirm)(static_cast<Status>(status));
    } catch (...) {
    }
  }

  template <typename T, typename Confirm>
  Status deliver_with_function(std::string_view topic, const T& data, Confirm&& confirm,
                               const Attributes& attributes) noexcept {
    using Kept = std::decay_t<Confirm>;
    try {
      auto kept = std::make_unique<Kept>(std::forward<Confirm>(confirm));
      const Status status = deliver_event(topic, data, attributes, tell<Kept>, kept.get());
      // The call of a taken event's function deletes it.
      if (status == Status::ok) static_cast<void>(kept.release());
      return status;
    } catch (...) {
      return Status::no_memory;
    }
  }

  template <typename T>
  std::future<Status> deliver_with_future(std::string_view topic, const T& data,
                                          const Attributes& attributes) noexcept {
    try {
      auto promise = std::make_unique<std::promise<Status>>();
      std::future<Status> future = promise->get_future();
      const Status status = deliver_event(topic, data, attributes, keep_promise, promise.get());
      if (status != Status::ok) {
        promise->set_value(status);
      } else {
        static_cast<void>(promise.release());
      }
      return future;
    } catch (...) {
      return {};
    }
  }
  static void keep_promise(void* user, outrider_status status) noexcept {
    const std::unique_ptr<std::promise<Status>> promise(static_cast<std::promise<Status>*>(user));
    promise->set_value(static_cast<Status>(status));
  }

  std::unique_ptr<outrider_client, Free> handle_;
  Status status_ = Status::ok;
};

}  // namespace v0_1_0
}  // namespace outrider
