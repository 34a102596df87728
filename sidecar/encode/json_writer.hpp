// JsonWriter: the pieces of JSON text, written into one buffer.
//
// Used by JsonEncoder and write_json_value. It knows how a string, a number and bytes are written,
// not where commas and braces belong. docs/decisions.md gives the reason for an own writer.
//
// Thread: one writer, one thread. Owns: the buffer, which is kept from event to event, so that
// steady state allocates nothing; a very large one is given back by clear(). Cannot fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "proto/bytes.hpp"

namespace outrider::sidecar {

class JsonWriter {
 public:
  JsonWriter();

  void clear();
  std::size_t size() const { return static_cast<std::size_t>(at_ - begin_.get()); }
  std::string_view text() const { return {begin_.get(), size()}; }

  /// Removes everything after the first `size` bytes.
  void cut(std::size_t size) { at_ = begin_.get() + size; }

  /// For writing by pointer: at least this much room after the text, and the new end of the text.
  char* room(std::size_t size) {
    reserve(size);
    return at_;
  }
  char* limit() const { return end_; }
  void set_end(char* end) { at_ = end; }

  void put(char c) {
    reserve(1);
    *at_++ = c;
  }

  /// Text that is JSON already.
  void raw(std::string_view text) {
    reserve(text.size());
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

  /// A string in quotes. Whatever the bytes are, the result is valid UTF-8: each ill-formed part
  /// becomes one U+FFFD.
  void string(std::string_view text);

  /// A member's name: a string and a colon, with a comma in front unless it is the first.
  void name(std::string_view text, bool is_first);

  void unsigned_integer(std::uint64_t value);
  void signed_integer(std::int64_t value);

  /// The shortest text that reads back as the same number, always with a point or an exponent;
  /// NaN and the infinities, which JSON does not have, become null.
  void real(double value);
  void real(float value);

  /// Base64 with padding, without quotes.
  void base64(proto::ByteView bytes);

 private:
  void reserve(std::size_t size) {
    if (static_cast<std::size_t>(end_ - at_) < size) grow(size);
  }
  void grow(std::size_t size);
  void escaped_string(std::string_view text);
  void escape(unsigned char c);

  std::unique_ptr<char[]> begin_;
  char* at_;
  char* end_;
};

}  // namespace outrider::sidecar
