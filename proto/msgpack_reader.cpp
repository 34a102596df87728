#include "proto/msgpack_reader.hpp"

#include <array>
#include <bit>

#include "proto/big_endian.hpp"

namespace outrider::proto {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

/// The payload of a lead byte from 0xc0 to 0xdf: how many bytes of fixed width, and what they
/// count.
enum class Payload : std::uint8_t { none, length, elements, pairs, invalid };
struct LeadByte {
  std::uint8_t fixed_bytes;  ///< bytes directly after the lead byte
  Payload payload;           ///< the meaning of the number in them
};

constexpr std::array<LeadByte, 32> lead_bytes = {{
    {0, Payload::none},      // c0 nil
    {0, Payload::invalid},   // c1 never used
    {0, Payload::none},      // c2 false
    {0, Payload::none},      // c3 true
    {1, Payload::length},    // c4 bin 8
    {2, Payload::length},    // c5 bin 16
    {4, Payload::length},    // c6 bin 32
    {1, Payload::length},    // c7 ext 8
    {2, Payload::length},    // c8 ext 16
    {4, Payload::length},    // c9 ext 32
    {4, Payload::none},      // ca float 32
    {8, Payload::none},      // cb float 64
    {1, Payload::none},      // cc uint 8
    {2, Payload::none},      // cd uint 16
    {4, Payload::none},      // ce uint 32
    {8, Payload::none},      // cf uint 64
    {1, Payload::none},      // d0 int 8
    {2, Payload::none},      // d1 int 16
    {4, Payload::none},      // d2 int 32
    {8, Payload::none},      // d3 int 64
    {2, Payload::none},      // d4 fixext 1: type and data
    {3, Payload::none},      // d5 fixext 2
    {5, Payload::none},      // d6 fixext 4
    {9, Payload::none},      // d7 fixext 8
    {17, Payload::none},     // d8 fixext 16
    {1, Payload::length},    // d9 str 8
    {2, Payload::length},    // da str 16
    {4, Payload::length},    // db str 32
    {2, Payload::elements},  // dc array 16
    {4, Payload::elements},  // dd array 32
    {2, Payload::pairs},     // de map 16
    {4, Payload::pairs},     // df map 32
}};

std::uint32_t load_count(const std::uint8_t* at, std::uint8_t width) {
  if (width == 1) return *at;
  if (width == 2) return load_big_endian<std::uint16_t>(at);
  return load_big_endian<std::uint32_t>(at);
}

void set_integer(Token& token, std::int64_t value) {
  if (value >= 0) {
    token.type = TokenType::uint;
    token.uint = static_cast<std::uint64_t>(value);
  } else {
    token.type = TokenType::sint;
    token.sint = value;
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-function-size): one case for each type of msgpack.
ReadStatus MsgpackReader::next_long(Token& token, std::uint8_t lead) {
  const LeadByte shape = lead_bytes[lead - 0xc0U];
  if (shape.payload == Payload::invalid) return ReadStatus::invalid;
  if (left() < shape.fixed_bytes) return ReadStatus::truncated;
  const std::uint8_t* at = pos_;
  pos_ += shape.fixed_bytes;
  switch (lead) {
    case 0xc0:
      token.type = TokenType::nil;
      return ReadStatus::ok;
    case 0xc2:
    case 0xc3:
      token.type = TokenType::boolean;
      token.boolean = lead == 0xc3;
      return ReadStatus::ok;
    case 0xca:
      token.type = TokenType::real;
      token.is_float32 = true;
      token.real = std::bit_cast<float>(load_big_endian<std::uint32_t>(at));
      return ReadStatus::ok;
    case 0xcb:
      token.type = TokenType::real;
      token.is_float32 = false;
      token.real = std::bit_cast<double>(load_big_endian<std::uint64_t>(at));
      return ReadStatus::ok;
    case 0xcc:
    case 0xcd:
    case 0xce:
      token.type = TokenType::uint;
      token.uint = load_count(at, shape.fixed_bytes);
      return ReadStatus::ok;
    case 0xcf:
      token.type = TokenType::uint;
      token.uint = load_big_endian<std::uint64_t>(at);
      return ReadStatus::ok;
    case 0xd0:
      set_integer(token, static_cast<std::int8_t>(*at));
      return ReadStatus::ok;
    case 0xd1:
      set_integer(token, static_cast<std::int16_t>(load_big_endian<std::uint16_t>(at)));
      return ReadStatus::ok;
    case 0xd2:
      set_integer(token, static_cast<std::int32_t>(load_big_endian<std::uint32_t>(at)));
      return ReadStatus::ok;
    case 0xd3:
      set_integer(token, static_cast<std::int64_t>(load_big_endian<std::uint64_t>(at)));
      return ReadStatus::ok;
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return take_bytes(token, TokenType::bin, load_count(at, shape.fixed_bytes));
    case 0xc7:
    case 0xc8:
    case 0xc9:
      if (left() == 0) return ReadStatus::truncated;
      token.ext_type = static_cast<std::int8_t>(*pos_++);
      return take_bytes(token, TokenType::ext, load_count(at, shape.fixed_bytes));
    case 0xd9:
    case 0xda:
    case 0xdb:
      return take_bytes(token, TokenType::str, load_count(at, shape.fixed_bytes));
    case 0xdc:
    case 0xdd:
      token.type = TokenType::array;
      token.count = load_count(at, shape.fixed_bytes);
      return ReadStatus::ok;
    case 0xde:
    case 0xdf:
      token.type = TokenType::map;
      token.count = load_count(at, shape.fixed_bytes);
      return ReadStatus::ok;
    default:  // d4..d8: fixext, the type and 1, 2, 4, 8 or 16 bytes
      token.type = TokenType::ext;
      token.ext_type = static_cast<std::int8_t>(*at);
      token.bytes = {at + 1, shape.fixed_bytes - 1U};
      return ReadStatus::ok;
  }
}

ReadStatus MsgpackReader::skip_values(std::uint64_t to_come) {
  // `to_come` values are still to come in the innermost open container, or of those asked for;
  // `outer` holds the same for the containers around it.
  std::array<std::uint64_t, depth_levels_max> outer;
  std::size_t level = 0;
  const std::uint8_t* at = pos_;
  for (;;) {
    while (to_come == 0) {
      if (level == 0) {
        pos_ = at;
        return ReadStatus::ok;
      }
      to_come = outer[--level];
    }
    --to_come;
    if (at == end_) return ReadStatus::truncated;
    const std::uint8_t lead = *at++;
    const auto left_bytes = static_cast<std::size_t>(end_ - at);
    if (lead >= 0xa0 && lead < 0xc0) {
      const std::size_t size = lead & 0x1fU;
      if (left_bytes < size) return ReadStatus::truncated;
      at += size;
      continue;
    }
    if (lead < 0x80 || lead >= 0xe0) continue;
    std::uint64_t inside = lead >= 0x90 ? lead & 0x0fU : 2U * (lead & 0x0fU);
    if (lead >= 0xc0) {
      const LeadByte shape = lead_bytes[lead - 0xc0U];
      if (shape.payload == Payload::invalid) return ReadStatus::invalid;
      if (left_bytes < shape.fixed_bytes) return ReadStatus::truncated;
      const std::uint8_t* number = at;
      at += shape.fixed_bytes;
      if (shape.payload == Payload::none) continue;
      const std::uint64_t count = load_count(number, shape.fixed_bytes);
      if (shape.payload == Payload::length) {
        const bool is_ext = lead >= 0xc7 && lead <= 0xc9;
        const std::uint64_t size = count + (is_ext ? 1U : 0U);
        if (left_bytes - shape.fixed_bytes < size) return ReadStatus::truncated;
        at += size;
        continue;
      }
      inside = shape.payload == Payload::pairs ? 2 * count : count;
    }
    if (level == depth_levels_max) return ReadStatus::too_deep;
    // Every value takes a byte at least: a count beyond the buffer is known to be cut short.
    if (inside > static_cast<std::size_t>(end_ - at)) return ReadStatus::truncated;
    outer[level++] = to_come;
    to_come = inside;
  }
}

bool timestamp_parts(const Token& token, std::int64_t& seconds, std::uint32_t& nanoseconds) {
  if (token.type != TokenType::ext || token.ext_type != -1) return false;
  const std::uint8_t* at = token.bytes.data();
  if (token.bytes.size() == 4) {
    seconds = load_big_endian<std::uint32_t>(at);
    nanoseconds = 0;
  } else if (token.bytes.size() == 8) {
    const auto packed = load_big_endian<std::uint64_t>(at);
    seconds = static_cast<std::int64_t>(packed & 0x3'ffff'ffffU);
    nanoseconds = static_cast<std::uint32_t>(packed >> 34U);
  } else if (token.bytes.size() == 12) {
    nanoseconds = load_big_endian<std::uint32_t>(at);
    seconds = static_cast<std::int64_t>(load_big_endian<std::uint64_t>(at + 4));
  } else {
    return false;
  }
  return nanoseconds < second_ns;
}

bool timestamp_ns(const Token& token, std::uint64_t& time_ns) {
  std::int64_t seconds;
  std::uint32_t nanoseconds;
  if (!timestamp_parts(token, seconds, nanoseconds)) return false;
  if (seconds < 0 || static_cast<std::uint64_t>(seconds) >= UINT64_MAX / second_ns) return false;
  time_ns = static_cast<std::uint64_t>(seconds) * second_ns + nanoseconds;
  return true;
}

}  // namespace outrider::proto
