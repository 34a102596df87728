// Outrider for C++20: hand events to the local sidecar in about a hundred nanoseconds, or have it
// confirm that they are safe.
//
//     outrider::Client client;
//     client.emit("orders.paid", {{"amount", 49.99}, {"user_id", 42}});
//     client.deliver("invoices.due", {{"invoice", 7}}).get() == outrider::Status::ok  // on disk
//
// An event's data can be given in three ways, all packed to msgpack in the calling thread:
//   - a list of fields, which may nest:  {{"amount", 49.99}, {"tags", {{"region", "eu"}}}}
//   - any value that msgpack-c can pack: a struct with MSGPACK_DEFINE_MAP, a std::map, ...
//   - a function that writes it piece by piece: [&](outrider::Writer& w) { w.map(1); ... }
//
// Text is a string, a string_view, a const char* or an array of char. Of a const array, as literals
// are, all is taken but the zero bytes at its end; another one is a buffer that holds text up to
// its first zero byte, if there is one. An array that is all of an event's data is always such a
// buffer.
//
// A header on top of outrider.h, whose conventions on threads, fork and exit hold here too. Nothing
// throws; what a packer throws makes the event one with bad data. Emitting never blocks and, once a
// thread's buffer has its size, allocates nothing. Delivering never waits for the sidecar either,
// unless asked to; it copies the event and allocates.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <future>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <msgpack.hpp>

#include "outrider/outrider.h"

namespace outrider {
/// One process may hold code built with different versions of this header, whose inline functions
/// must not be taken for each other's: the name is the version.
inline namespace v0_1_0 {

/// Full is an answer, not an error: whoever cannot wait drops, and the drop is counted.
enum class Status : int {
  ok = OUTRIDER_OK,
  full = OUTRIDER_FULL,
  bad_topic = OUTRIDER_BAD_TOPIC,
  bad_data = OUTRIDER_BAD_DATA,
  too_large = OUTRIDER_TOO_LARGE,
  bad_attributes = OUTRIDER_BAD_ATTRIBUTES,
  closed = OUTRIDER_CLOSED,
  forked = OUTRIDER_FORKED,
  timeout = OUTRIDER_TIMEOUT,
  invalid_argument = OUTRIDER_INVALID_ARGUMENT,
  no_memory = OUTRIDER_NO_MEMORY,
  refused = OUTRIDER_REFUSED,
};

inline const char* text(Status status) noexcept {
  return outrider_status_text(static_cast<outrider_status>(status));
}

/// The fields of outrider_options, set to their defaults.
struct Options : outrider_options {
  Options() noexcept : outrider_options{} { outrider_options_init(this, sizeof(outrider_options)); }
};

enum class Priority : int { low = -1, normal = 0, high = 1 };

/// What an event may carry besides its data; everything may be left out.
struct Attributes {
  std::string_view id{};                         ///< 1 to 64 bytes of visible ASCII, no spaces; or
  std::span<const std::uint8_t> uuid{};          ///< 16 bytes
  std::string_view key{};                        ///< ordering key
  std::string_view trace{};                      ///< W3C traceparent
  std::chrono::system_clock::time_point time{};  ///< when it happened, if not now
  std::chrono::system_clock::time_point at{};    ///< not to be delivered before; 2000 or later
  std::chrono::milliseconds ttl{};               ///< not after time + ttl, or at + ttl; 0: for ever
  Priority priority = Priority::normal;
  std::chrono::milliseconds delay{};  ///< not to be delivered before now + delay; not beside `at`
};

namespace detail {

/// What a thread packs its events into; events that are packed while another one is being packed
/// stand behind it. It has no destructor, because what a thread destroys at its end may emit still:
/// the memory goes by end(), and from then on after each event.
class PackBuffer {
 public:
  constexpr PackBuffer() = default;
  PackBuffer(const PackBuffer&) = delete;
  PackBuffer& operator=(const PackBuffer&) = delete;

  void write(const char* bytes, std::size_t count) {
    if (count > capacity_ - size_) grow(count);
    std::memcpy(data_ + size_, bytes, count);
    size_ += count;
  }

  const char* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

  void cut(std::size_t size) noexcept {
    size_ = size;
    if (size == 0 && (capacity_ > kept_bytes_max || is_ended_)) release();
  }

  void end() noexcept {
    is_ended_ = true;
    if (size_ == 0) release();
  }

 private:
  static constexpr std::size_t kept_bytes_max = std::size_t{64} << 10U;

  inline void grow(std::size_t count);
  void release() noexcept {
    std::free(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  bool is_ended_ = false;
};

inline PackBuffer& pack_buffer() noexcept {
  static thread_local constinit PackBuffer buffer;
  return buffer;
}

/// A thread's, at its end.
struct PackBufferEnd {
  ~PackBufferEnd() { pack_buffer().end(); }
};

inline void PackBuffer::grow(std::size_t count) {
  [[maybe_unused]] static thread_local const PackBufferEnd end_of_thread{};
  const std::size_t capacity = 2 * (size_ + count) + 512;
  auto* data = static_cast<char*>(std::realloc(data_, capacity));
  if (data == nullptr) throw std::bad_alloc();
  data_ = data;
  capacity_ = capacity;
}

using Packer = msgpack::packer<PackBuffer>;

/// As msgpack has it: 32 bits. Throws what msgpack-c throws for its own containers.
inline std::uint32_t checked_count(std::size_t count) {
  if (count > UINT32_MAX) throw msgpack::container_size_overflow("more than msgpack can count");
  return static_cast<std::uint32_t>(count);
}

inline void pack_text(Packer& packer, std::string_view text) {
  const std::uint32_t bytes = checked_count(text.size());
  packer.pack_str(bytes);
  packer.pack_str_body(text.data(), bytes);
}

template <typename T>
concept Character = (std::same_as<std::remove_const_t<T>, char>);

template <Character Char, std::size_t count>
std::string_view text_in(Char (&text)[count]) noexcept {
  std::size_t bytes = count;
  if constexpr (std::is_const_v<Char>) {
    while (bytes > 0 && text[bytes - 1] == '\0') --bytes;
  } else if (const void* const end = std::memchr(text, '\0', count)) {
    bytes = static_cast<std::size_t>(static_cast<const char*>(end) - text);
  }
  return {text, bytes};
}

/// As a float 64, always: msgpack-c makes an integer of 1.0, so that a field's type would change
/// with its value.
inline void pack_double(Packer& packer, double value) {
  static_assert(sizeof value == sizeof(std::uint64_t));
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  char bytes[1 + sizeof bits] = {static_cast<char>(0xcb)};
  for (std::size_t i = sizeof bits; i > 0; --i, bits >>= 8U) bytes[i] = static_cast<char>(bits);
  packer.pack_bin_body(bytes, sizeof bytes);
}

template <typename T>
void pack_value(Packer& packer, const T& value) {
  if constexpr (std::is_null_pointer_v<T>) {
    packer.pack_nil();
  } else if constexpr (std::is_array_v<T> && Character<std::remove_extent_t<T>>) {
    // Whether it is const can no longer be seen.
    pack_text(packer, {value, ::strnlen(value, std::extent_v<T>)});
  } else if constexpr (std::is_convertible_v<const T&, const char*>) {
    const char* const text = value;
    if (text == nullptr) {
      packer.pack_nil();
    } else {
      pack_text(packer, text);
    }
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    pack_text(packer, value);
  } else if constexpr (std::is_floating_point_v<T>) {
    pack_double(packer, static_cast<double>(value));
  } else {
    packer.pack(value);
  }
}

}  // namespace detail

/// A name and a reference to a value, made where emit() is called and gone with the call.
class Field {
 public:
  template <typename T>
  Field(std::string_view name, const T& value) noexcept
      : name_(name), value_(&value), pack_(pack_one<T>) {}

  /// Text.
  template <detail::Character Char, std::size_t count>
  Field(std::string_view name, Char (&array)[count]) noexcept : name_(name), pack_(pack_chars) {
    const std::string_view text = detail::text_in(array);
    value_ = text.data();
    count_ = text.size();
  }

  /// A nested map.
  Field(std::string_view name, std::initializer_list<Field> fields) noexcept
      : name_(name), value_(fields.begin()), count_(fields.size()), pack_(pack_fields) {}

  /// An array.
  template <typename T>
  Field(std::string_view name, std::initializer_list<T> elements) noexcept
      : name_(name), value_(elements.begin()), count_(elements.size()), pack_(pack_elements<T>) {}

  void pack(detail::Packer& packer) const {
    detail::pack_text(packer, name_);
    pack_(packer, value_, count_);
  }

  static void pack_fields(detail::Packer& packer, const void* fields, std::size_t count) {
    packer.pack_map(detail::checked_count(count));
    for (const Field& field : std::span(static_cast<const Field*>(fields), count)) {
      field.pack(packer);
    }
  }

 private:
  using Pack = void (*)(detail::Packer& packer, const void* value, std::size_t count);

  template <typename T>
  static void pack_one(detail::Packer& packer, const void* value, std::size_t) {
    detail::pack_value(packer, *static_cast<const T*>(value));
  }
  static void pack_chars(detail::Packer& packer, const void* chars, std::size_t count) {
    detail::pack_text(packer, {static_cast<const char*>(chars), count});
  }
  template <typename T>
  static void pack_elements(detail::Packer& packer, const void* elements, std::size_t count) {
    packer.pack_array(detail::checked_count(count));
    for (const T& element : std::span(static_cast<const T*>(elements), count)) {
      detail::pack_value(packer, element);
    }
  }

  std::string_view name_;
  const void* value_;
  std::size_t count_ = 0;
  Pack pack_;
};

/// Writes one value piece by piece; a map says first how many fields follow. An event whose counts
/// do not come out is dropped before it is sent, and counted as event_data.
class Writer {
 public:
  explicit Writer(detail::PackBuffer& buffer) noexcept : packer_(buffer) {}

  void map(std::uint32_t fields) { packer_.pack_map(fields); }
  void array(std::uint32_t elements) { packer_.pack_array(elements); }
  void key(std::string_view name) { detail::pack_text(packer_, name); }
  template <typename T>
  void value(const T& value) {
    detail::pack_value(packer_, value);
  }
  template <detail::Character Char, std::size_t count>
  void value(Char (&array)[count]) {
    detail::pack_text(packer_, detail::text_in(array));
  }
  template <typename T>
  void field(std::string_view name, const T& field_value) {
    key(name);
    value(field_value);
  }
  template <detail::Character Char, std::size_t count>
  void field(std::string_view name, Char (&array)[count]) {
    key(name);
    value(array);
  }

  /// msgpack-c's own packer, for everything else: bin, ext, ...
  detail::Packer& packer() noexcept { return packer_; }

 private:
  detail::Packer packer_;
};

/// Anything that writes an event's data to a Writer.
template <typename T>
concept WriterFunction = std::is_invocable_v<const T&, Writer&>;

/// Anything that can be told what became of a delivered event.
template <typename T>
concept ConfirmFunction = std::is_invocable_v < std::decay_t<T>
&, Status > ;

class Client {
  static std::uint32_t milliseconds(std::chrono::milliseconds duration) noexcept {
    constexpr std::int64_t milliseconds_max = INT32_MAX;
    const std::int64_t count = duration.count();
    return static_cast<std::uint32_t>(count < 0                  ? 0
                                      : count > milliseconds_max ? milliseconds_max
                                                                 : count);
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

  // The ways to hand packed data over.
  auto plain(std::string_view topic) noexcept {
    return [this, topic](const char* data, std::size_t bytes) {
      return outrider_emit(handle_.get(), topic.data(), topic.size(), data, bytes);
    };
  }
  auto with_attributes(std::string_view topic, const Attributes& attributes) noexcept {
    return [this, topic, &attributes](const char* data, std::size_t bytes) {
      const outrider_event event = make_event(topic, attributes, data, bytes);
      return outrider_emit_event(handle_.get(), &event);
    };
  }
  auto waiting(std::chrono::milliseconds timeout, std::string_view topic,
               const Attributes& attributes) noexcept {
    return [this, timeout, topic, &attributes](const char* data, std::size_t bytes) {
      const outrider_event event = make_event(topic, attributes, data, bytes);
      return outrider_emit_wait(handle_.get(), &event, milliseconds(timeout));
    };
  }
  auto confirmed(std::string_view topic, const Attributes& attributes, outrider_confirm_fn confirm,
                 void* user) noexcept {
    return [this, topic, &attributes, confirm, user](const char* data, std::size_t bytes) {
      const outrider_event event = make_event(topic, attributes, data, bytes);
      return outrider_deliver(handle_.get(), &event, confirm, user);
    };
  }
  auto confirmed_within(std::chrono::milliseconds timeout, std::string_view topic,
                        const Attributes& attributes) noexcept {
    return [this, timeout, topic, &attributes](const char* data, std::size_t bytes) {
      const outrider_event event = make_event(topic, attributes, data, bytes);
      return outrider_deliver_wait(handle_.get(), &event, milliseconds(timeout));
    };
  }

 public:
  /// Connects with the first event. If status() is not ok, nothing can be emitted.
  explicit Client(const Options& options = {}) noexcept { open(options); }

  /// With all defaults but the endpoint: "ipc:///run/outrider/outrider.sock".
  explicit Client(const std::string& endpoint) noexcept {
    Options options;
    options.endpoint = endpoint.c_str();
    open(options);
  }

  Status status() const noexcept { return status_; }

  Status emit(std::string_view topic, std::initializer_list<Field> fields) noexcept {
    return send_packed(fields, plain(topic));
  }
  Status emit(std::string_view topic, std::initializer_list<Field> fields,
              const Attributes& attributes) noexcept {
    return send_packed(fields, with_attributes(topic, attributes));
  }
  template <typename T>
  Status emit(std::string_view topic, const T& data) noexcept {
    return send_packed(data, plain(topic));
  }
  template <typename T>
  Status emit(std::string_view topic, const T& data, const Attributes& attributes) noexcept {
    return send_packed(data, with_attributes(topic, attributes));
  }

  /// For those who would rather wait for room than drop; Status::timeout: dropped.
  Status emit_wait(std::chrono::milliseconds timeout, std::string_view topic,
                   std::initializer_list<Field> fields,
                   const Attributes& attributes = {}) noexcept {
    return send_packed(fields, waiting(timeout, topic, attributes));
  }
  template <typename T>
  Status emit_wait(std::chrono::milliseconds timeout, std::string_view topic, const T& data,
                   const Attributes& attributes = {}) noexcept {
    return send_packed(data, waiting(timeout, topic, attributes));
  }

  /// Keeps the event until the sidecar confirms that it is on disk, and sends it again as often as
  /// need be. The future holds Status::ok then; Status::refused: the sidecar will never take it;
  /// Status::timeout: the client was closed first. An event that was not taken, as by
  /// Status::full, makes one that is ready at once. Not valid(): there was no memory for it.
  std::future<Status> deliver(std::string_view topic, std::initializer_list<Field> fields,
                              const Attributes& attributes = {}) noexcept {
    return deliver_with_future(topic, fields, attributes);
  }
  template <typename T>
  std::future<Status> deliver(std::string_view topic, const T& data,
                              const Attributes& attributes = {}) noexcept {
    return deliver_with_future(topic, data, attributes);
  }

  /// The same with a function instead. Status::ok: the event was taken, and `confirm(Status)` is
  /// called once, on a thread of the library's. It may deliver and emit; it must not wait, flush or
  /// close, nor take long. What it throws is lost.
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

  /// Waits for the confirmation. Status::timeout: not yet; the event stays where it is and may
  /// still be confirmed. Status::full and the like: not taken, and answered at once.
  Status deliver_wait(std::chrono::milliseconds timeout, std::string_view topic,
                      std::initializer_list<Field> fields,
                      const Attributes& attributes = {}) noexcept {
    return send_packed(fields, confirmed_within(timeout, topic, attributes));
  }
  template <typename T>
  Status deliver_wait(std::chrono::milliseconds timeout, std::string_view topic, const T& data,
                      const Attributes& attributes = {}) noexcept {
    return send_packed(data, confirmed_within(timeout, topic, attributes));
  }

  /// True: every event emitted before this call is on its way to a connected sidecar, every event
  /// delivered before it is answered, and the process may end. After an emit it makes a new
  /// connection: for the end of a process or a job, not for every request.
  bool flush(std::chrono::milliseconds timeout) noexcept {
    return outrider_flush(handle_.get(), milliseconds(timeout)) == OUTRIDER_OK;
  }

  /// Takes no more events, sends what is buffered and waits for what is unconfirmed.
  /// Status::timeout: events may be lost.
  Status close(std::chrono::milliseconds linger) noexcept {
    return static_cast<Status>(outrider_close(handle_.get(), milliseconds(linger)));
  }

  outrider_stats stats() const noexcept {
    outrider_stats stats{};
    outrider_stats_read(handle_.get(), &stats, sizeof stats);
    return stats;
  }

  /// Why events wait, for the log after a timeout; empty: nothing is known to be in the way.
  const char* obstacle() const noexcept { return outrider_obstacle_text(handle_.get()); }

  /// For the functions of outrider.h; stays with this object.
  outrider_client* handle() const noexcept { return handle_.get(); }

 private:
  struct Free {
    void operator()(outrider_client* client) const noexcept { outrider_client_free(client); }
  };

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
      const Status status = send_packed(data, confirmed(topic, attributes, tell<Kept>, kept.get()));
      // What was taken is told, and deleted then.
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
      const Status status =
          send_packed(data, confirmed(topic, attributes, keep_promise, promise.get()));
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

  template <typename T, typename Send>
  static Status send_packed(const T& data, const Send& send) noexcept {
    detail::PackBuffer& buffer = detail::pack_buffer();
    const std::size_t begin = buffer.size();
    // No bytes at all are bad data, and so many are too large: the library counts it and says so.
    std::size_t unpacked_bytes = 0;
    bool is_packed = false;
    try {
      pack(buffer, data);
      is_packed = true;
    } catch (const msgpack::container_size_overflow&) {
      unpacked_bytes = SIZE_MAX;
    } catch (...) {
    }
    const Status status =
        static_cast<Status>(is_packed ? send(buffer.data() + begin, buffer.size() - begin)
                                      : send(nullptr, unpacked_bytes));
    buffer.cut(begin);
    return status;
  }

  template <typename T>
  static void pack(detail::PackBuffer& buffer, const T& data) {
    if constexpr (std::is_same_v<T, std::initializer_list<Field>>) {
      detail::Packer packer(buffer);
      Field::pack_fields(packer, data.begin(), data.size());
    } else if constexpr (WriterFunction<T>) {
      Writer writer(buffer);
      data(writer);
    } else {
      detail::Packer packer(buffer);
      detail::pack_value(packer, data);
    }
  }

  void open(const Options& options) noexcept {
    outrider_client* made = nullptr;
    status_ = static_cast<Status>(outrider_client_new(&options, &made));
    handle_.reset(made);
  }

  std::unique_ptr<outrider_client, Free> handle_;
  Status status_ = Status::ok;
};

}  // namespace v0_1_0
}  // namespace outrider
