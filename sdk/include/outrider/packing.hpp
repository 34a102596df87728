// The forms of an event's data, and how it becomes msgpack. client.hpp includes this header; the
// rules are the same for emit and deliver.
//
// There are three forms. All are packed in the calling thread, before the call returns:
//   - A list of fields is a map:
//         client.emit("orders.paid", {{"amount", 49.99}, {"tags", {{"region", "eu"}}}});
//     A value is a number, a bool, nullptr (nil), text, a nested list of fields (a map), a braced
//     list of values of one type (an array), or anything that msgpack-c can pack.
//   - Any value that msgpack-c can pack: a struct with MSGPACK_DEFINE_MAP, a std::map, a vector:
//         client.emit("orders.paid", order);
//   - A function that writes the value piece by piece, for shapes known only at run time:
//         client.emit("cart", [&](outrider::Writer& w) {
//           w.array(items.size());
//           for (const Item& item : items) w.value(item.name);
//         });
//
// Text is a std::string, a std::string_view, a const char* or an array of char. A const char* that
// is null is nil. A const array, such as a literal, gives all its bytes except the zeros at its
// end. An array that is not const is a buffer, and its text ends at the first zero byte, if there
// is one. An array that is the whole data of an event is always such a buffer.
//
// A floating-point number is msgpack's float 64, whatever its value. Inside a struct or container
// that msgpack-c packs, the library decides: 1.0 becomes an integer there.
//
// Errors: if a packer throws, the event has bad data (Status::bad_data); a container or text whose
// size needs more than 32 bits is Status::too_large. Threads: each packs into its own buffer, of
// which it keeps up to 64 KiB. Nothing here outlives the call that it was made for.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>

#include <msgpack.hpp>

namespace outrider {
/// One process may hold code built with different versions of these headers, whose inline functions
/// must not be taken for each other's: the name is the version.
inline namespace v0_1_0 {
namespace detail {

/// The bytes that a thread packs its events into. If an event is packed while another one is being
/// packed, for example by a packer that emits, its bytes follow those of the first and are removed
/// first. There is no destructor, because other objects of the thread may emit while they are
/// destroyed. end() frees the memory, and from then on each event frees its own.
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

/// A size in msgpack has 32 bits. Throws the exception that msgpack-c throws for its own
/// containers.
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

/// Always a float 64: msgpack-c would make an integer of 1.0, and a field's type would change with
/// its value.
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
    // The type no longer shows whether the array was const.
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

/// Writes one value piece by piece. A map or an array begins with the number of its fields or
/// elements. An event with wrong counts is dropped before it is sent, and counted as event_data;
/// deliver returns Status::bad_data at once.
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

namespace detail {

template <typename T>
void pack_data(PackBuffer& buffer, const T& data) {
  if constexpr (std::is_same_v<T, std::initializer_list<Field>>) {
    Packer packer(buffer);
    Field::pack_fields(packer, data.begin(), data.size());
  } else if constexpr (WriterFunction<T>) {
    Writer writer(buffer);
    data(writer);
  } else {
    Packer packer(buffer);
    pack_value(packer, data);
  }
}

/// Packs an event's data and returns the result of `send(data, bytes)`.
template <typename T, typename Send>
auto send_packed(const T& data, const Send& send) noexcept {
  PackBuffer& buffer = pack_buffer();
  const std::size_t begin = buffer.size();
  // The library reports zero bytes as bad data, and SIZE_MAX bytes as too large, and counts both.
  std::size_t unpacked_bytes = 0;
  bool is_packed = false;
  try {
    pack_data(buffer, data);
    is_packed = true;
  } catch (const msgpack::container_size_overflow&) {
    unpacked_bytes = SIZE_MAX;
  } catch (...) {
  }
  const auto result = is_packed ? send(buffer.data() + begin, buffer.size() - begin)
                                : send(static_cast<const char*>(nullptr), unpacked_bytes);
  buffer.cut(begin);
  return result;
}

}  // namespace detail
}  // namespace v0_1_0
}  // namespace outrider
