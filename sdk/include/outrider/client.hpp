// Outrider for C++20: hand events to the local sidecar in about a hundred nanoseconds.
//
//     outrider::Client client;
//     client.emit("orders.paid", {{"amount", 49.99}, {"user_id", 42}});
//
// An event's data can be given in three ways, all packed to msgpack in the calling thread:
//   - a list of fields, which may nest:  {{"amount", 49.99}, {"tags", {{"region", "eu"}}}}
//   - any value that msgpack-c can pack: a struct with MSGPACK_DEFINE_MAP, a std::map, ...
//   - a function that writes it piece by piece: [&](outrider::Writer& w) { w.map(1); ... }
//
// A header on top of outrider.h, whose conventions on threads, fork and exit hold here too. Nothing
// throws; what a packer throws makes the event one with
// bad data. Emitting never blocks and, once a thread's buffer has its size, allocates nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <msgpack.hpp>

#include "outrider/outrider.h"

namespace outrider {

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
  std::string_view id{};                         ///< 1 to 64 bytes of text, or else
  std::span<const std::uint8_t> uuid{};          ///< 16 bytes
  std::string_view key{};                        ///< ordering key
  std::string_view trace{};                      ///< W3C traceparent
  std::chrono::system_clock::time_point time{};  ///< when it happened, if not now
  std::chrono::system_clock::time_point at{};    ///< not to be delivered before
  std::chrono::milliseconds ttl{};               ///< not to be delivered after time + ttl
  Priority priority = Priority::normal;
};

namespace detail {

/// What a thread packs its events into; events that are packed while another one is being packed
/// stand behind it.
class PackBuffer {
 public:
  PackBuffer() = default;
  PackBuffer(const PackBuffer&) = delete;
  PackBuffer& operator=(const PackBuffer&) = delete;
  ~PackBuffer() { release(); }

  void write(const char* bytes, std::size_t count) {
    if (count > capacity_ - size_) grow(count);
    std::memcpy(data_ + size_, bytes, count);
    size_ += count;
  }

  const char* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

  void cut(std::size_t size) noexcept {
    size_ = size;
    if (size == 0 && capacity_ > kept_bytes_max) release();
  }

 private:
  static constexpr std::size_t kept_bytes_max = std::size_t{64} << 10U;

  void grow(std::size_t count) {
    const std::size_t capacity = 2 * (size_ + count) + 512;
    auto* data = static_cast<char*>(std::realloc(data_, capacity));
    if (data == nullptr) throw std::bad_alloc();
    data_ = data;
    capacity_ = capacity;
  }
  void release() noexcept {
    std::free(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

inline PackBuffer& pack_buffer() noexcept {
  static thread_local PackBuffer buffer;
  return buffer;
}

using Packer = msgpack::packer<PackBuffer>;

inline void pack_text(Packer& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

template <typename T>
void pack_value(Packer& packer, const T& value) {
  if constexpr (std::is_null_pointer_v<T>) {
    packer.pack_nil();
  } else if constexpr (std::is_convertible_v<const T&, const char*>) {
    const char* const text = value;
    if (text == nullptr) {
      packer.pack_nil();
    } else {
      pack_text(packer, text);
    }
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    pack_text(packer, value);
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
    packer.pack_map(static_cast<std::uint32_t>(count));
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
  template <typename T>
  static void pack_elements(detail::Packer& packer, const void* elements, std::size_t count) {
    packer.pack_array(static_cast<std::uint32_t>(count));
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
  template <typename T>
  void field(std::string_view name, const T& field_value) {
    key(name);
    value(field_value);
  }

  /// msgpack-c's own packer, for everything else: bin, ext, ...
  detail::Packer& packer() noexcept { return packer_; }

 private:
  detail::Packer packer_;
};

/// Anything that writes an event's data to a Writer.
template <typename T>
concept WriterFunction = std::is_invocable_v<const T&, Writer&>;

class Client {
  static std::uint32_t milliseconds(std::chrono::milliseconds duration) noexcept {
    constexpr std::int64_t milliseconds_max = INT32_MAX;
    const std::int64_t count = duration.count();
    return static_cast<std::uint32_t>(count < 0                  ? 0
                                      : count > milliseconds_max ? milliseconds_max
                                                                 : count);
  }

  static std::uint64_t nanoseconds(std::chrono::system_clock::time_point time) noexcept {
    const std::chrono::nanoseconds since = time.time_since_epoch();
    return since.count() < 0 ? 0 : static_cast<std::uint64_t>(since.count());
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
    event.ttl_ms =
        attributes.ttl.count() < 0 ? 0 : static_cast<std::uint64_t>(attributes.ttl.count());
    event.priority = static_cast<std::int32_t>(attributes.priority);
    return event;
  }

  // The three ways to hand packed data over.
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
    return emit_packed(fields, plain(topic));
  }
  Status emit(std::string_view topic, std::initializer_list<Field> fields,
              const Attributes& attributes) noexcept {
    return emit_packed(fields, with_attributes(topic, attributes));
  }
  template <typename T>
  Status emit(std::string_view topic, const T& data) noexcept {
    return emit_packed(data, plain(topic));
  }
  template <typename T>
  Status emit(std::string_view topic, const T& data, const Attributes& attributes) noexcept {
    return emit_packed(data, with_attributes(topic, attributes));
  }

  /// For those who would rather wait for room than drop; Status::timeout: dropped.
  Status emit_wait(std::chrono::milliseconds timeout, std::string_view topic,
                   std::initializer_list<Field> fields,
                   const Attributes& attributes = {}) noexcept {
    return emit_packed(fields, waiting(timeout, topic, attributes));
  }
  template <typename T>
  Status emit_wait(std::chrono::milliseconds timeout, std::string_view topic, const T& data,
                   const Attributes& attributes = {}) noexcept {
    return emit_packed(data, waiting(timeout, topic, attributes));
  }

  /// True: every event taken before this call has been handed to a connected socket.
  bool flush(std::chrono::milliseconds timeout) noexcept {
    return outrider_flush(handle_.get(), milliseconds(timeout)) == OUTRIDER_OK;
  }

  /// Takes no more events and sends what is buffered. Status::timeout: events may be lost.
  Status close(std::chrono::milliseconds linger) noexcept {
    return static_cast<Status>(outrider_close(handle_.get(), milliseconds(linger)));
  }

  outrider_stats stats() const noexcept {
    outrider_stats stats{};
    outrider_stats_read(handle_.get(), &stats, sizeof stats);
    return stats;
  }

  /// For the functions of outrider.h; stays with this object.
  outrider_client* handle() const noexcept { return handle_.get(); }

 private:
  struct Free {
    void operator()(outrider_client* client) const noexcept { outrider_client_free(client); }
  };

  template <typename T, typename Send>
  static Status emit_packed(const T& data, const Send& send) noexcept {
    detail::PackBuffer& buffer = detail::pack_buffer();
    const std::size_t begin = buffer.size();
    bool is_packed = false;
    try {
      pack(buffer, data);
      is_packed = true;
    } catch (...) {
    }
    // No bytes at all are bad data: the library counts it and says so.
    const Status status = static_cast<Status>(
        is_packed ? send(buffer.data() + begin, buffer.size() - begin) : send(nullptr, 0));
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

}  // namespace outrider
