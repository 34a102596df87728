// MsgpackReader: a pull reader over one msgpack buffer, token by token.
//
// Used by the frame check, the encoders and the attribute parser. It allocates nothing, copies
// nothing and never reads outside the buffer, whatever the bytes are; msgpack-c's own visitor does
// not show where in the buffer a value starts, and allocates for each parse. That is why this
// reader exists (docs/decisions.md).
//
// Thread: none of its own; one reader belongs to one thread. Owns: nothing; tokens point into the
// buffer. Fails with: ReadStatus, never with an exception.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proto/bytes.hpp"

namespace outrider::proto {

/// Containers may nest this deep inside an event's data; deeper input is refused.
inline constexpr std::uint32_t depth_levels_max = 32;

enum class TokenType : std::uint8_t {
  nil,
  boolean,
  uint,   ///< any non-negative integer
  sint,   ///< a negative integer
  real,   ///< float 32 or float 64
  str,    ///< `bytes` holds the text, not checked for UTF-8
  bin,    ///< `bytes` holds the content
  array,  ///< `count` elements follow
  map,    ///< `count` pairs of key and value follow
  ext,    ///< `bytes` holds the content, `ext_type` the type
};

struct Token {
  TokenType type = TokenType::nil;
  std::int8_t ext_type = 0;
  bool is_float32 = false;  ///< for `real`: the number was sent with single precision
  union {
    std::uint64_t uint = 0;
    std::int64_t sint;
    double real;
    bool boolean;
    std::uint32_t count;
  };
  ByteView bytes{};
};

enum class ReadStatus : std::uint8_t {
  ok,
  end,        ///< no byte left
  truncated,  ///< the buffer ends inside a value
  invalid,    ///< the byte 0xc1, which msgpack never uses
  too_deep,   ///< containers nest deeper than depth_levels_max
};

class MsgpackReader {
 public:
  explicit MsgpackReader(ByteView buffer)
      : begin_(buffer.data()), pos_(buffer.data()), end_(buffer.data() + buffer.size()) {}

  /// Reads one token; for a container only its header.
  [[nodiscard]] ReadStatus next(Token& token);

  /// Passes over whole values, containers included.
  [[nodiscard]] ReadStatus skip_values(std::uint64_t count);
  [[nodiscard]] ReadStatus skip_value() { return skip_values(1); }

  std::size_t offset() const { return static_cast<std::size_t>(pos_ - begin_); }
  /// Goes back to an offset that offset() has given.
  void go_to(std::size_t offset) { pos_ = begin_ + offset; }
  bool at_end() const { return pos_ == end_; }

 private:
  std::size_t left() const { return static_cast<std::size_t>(end_ - pos_); }
  ReadStatus next_long(Token& token, std::uint8_t lead);
  ReadStatus take_bytes(Token& token, TokenType type, std::size_t size);

  const std::uint8_t* begin_;
  const std::uint8_t* pos_;
  const std::uint8_t* end_;
};

inline ReadStatus MsgpackReader::take_bytes(Token& token, TokenType type, std::size_t size) {
  if (left() < size) return ReadStatus::truncated;
  token.type = type;
  token.bytes = {pos_, size};
  pos_ += size;
  return ReadStatus::ok;
}

// Inline: most tokens are short, and the hot paths read millions of them.
inline ReadStatus MsgpackReader::next(Token& token) {
  if (pos_ == end_) return ReadStatus::end;
  const std::uint8_t lead = *pos_++;
  if (lead >= 0xa0 && lead < 0xc0) return take_bytes(token, TokenType::str, lead & 0x1fU);
  if (lead < 0x80) {
    token.type = TokenType::uint;
    token.uint = lead;
    return ReadStatus::ok;
  }
  if (lead < 0xa0) {
    token.type = lead >= 0x90 ? TokenType::array : TokenType::map;
    token.count = lead & 0x0fU;
    return ReadStatus::ok;
  }
  if (lead < 0xe0) return next_long(token, lead);
  token.type = TokenType::sint;
  token.sint = static_cast<std::int64_t>(lead) - 0x100;
  return ReadStatus::ok;
}

/// An ext value of type -1 as seconds since the Unix epoch (negative before 1970) and the
/// nanoseconds to add; false if it is not a timestamp of one of msgpack's three forms.
[[nodiscard]] bool timestamp_parts(const Token& token, std::int64_t& seconds,
                                   std::uint32_t& nanoseconds);

/// An ext value of type -1 as nanoseconds since the Unix epoch; false if it is not a timestamp, or
/// lies before 1970 or after 2554.
[[nodiscard]] bool timestamp_ns(const Token& token, std::uint64_t& time_ns);

}  // namespace outrider::proto
