#include "sidecar/encode/json_value.hpp"

#include <bit>
#include <cstring>
#include <type_traits>

#include "proto/big_endian.hpp"
#include "proto/msgpack_reader.hpp"
#include "sidecar/encode/json_text.hpp"

namespace outrider::sidecar {
namespace {

using proto::MsgpackReader;
using proto::ReadStatus;
using proto::Token;
using proto::TokenType;

/// One pass over the value. `out` is where the text continues, and is passed from piece to piece so
/// that it stays in a register; each piece asks for its room first. Null: the value is malformed.
///
/// The types that most events are made of are written straight from their bytes; the others go by
/// MsgpackReader and JsonWriter.
class Transcoder {
 public:
  Transcoder(proto::ByteView value, TimeText& time_text, JsonWriter& writer)
      : value_(value),
        at_(value.data()),
        end_(value.data() + value.size()),
        time_text_(time_text),
        writer_(writer) {}

  bool write() {
    char* const out = put_value(writer_.room(0), proto::depth_levels_max);
    if (out != nullptr) writer_.set_end(out);
    return out != nullptr;
  }

 private:
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  char* room(char* out, std::size_t bytes) {
    if (static_cast<std::size_t>(writer_.limit() - out) >= bytes) return out;
    writer_.set_end(out);
    return writer_.room(bytes);
  }

  char* put_byte(char* out, char byte) {
    out = room(out, 1);
    *out++ = byte;
    return out;
  }
  char* put_value(char* out, std::uint32_t levels_left);
  char* put_long_value(char* out, std::uint32_t levels_left);
  char* put_array(char* out, std::uint32_t count, std::uint32_t levels_left);
  char* put_map(char* out, std::uint32_t count, std::uint32_t levels_left);
  char* put_name(char* out);
  char* put_text(char* out, std::size_t size);
  char* put_long_text(char* out, std::size_t size);
  template <typename Int>
  bool take(Int& value);
  bool take_text_size(std::size_t& size);

  // By MsgpackReader and JsonWriter.
  template <typename Write>
  char* put_other(char* out, const Write& write);
  /// A key that is no str. Containers are not written as JSON text inside a string: a map as the
  /// key of a map as the key of a map would double its backslashes at each level.
  bool write_odd_key(MsgpackReader& reader, const Token& token);
  void write_scalar(const Token& token);
  bool write_time(const Token& token);
  void write_ext(const Token& token);

  proto::ByteView value_;
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  TimeText& time_text_;
  JsonWriter& writer_;
};

/// Most names and many values are short, and the bytes after them can be read too.
inline char* Transcoder::put_text(char* out, std::size_t size) {
  if (size > json_text::block_bytes || left() < json_text::block_bytes) {
    return put_long_text(out, size);
  }
  out = room(out, 2 + json_text::block_bytes);
  if (!json_text::copy_short(reinterpret_cast<const char*>(at_), size, out + 1)) {
    return put_long_text(out, size);
  }
  at_ += size;
  out[0] = '"';
  out[size + 1] = '"';
  return out + size + 2;
}

char* Transcoder::put_value(char* out, std::uint32_t levels_left) {
  if (at_ == end_) return nullptr;
  const std::uint8_t lead = *at_;
  if (lead < 0x80) {
    ++at_;
    return json_text::put_unsigned(lead, room(out, json_text::number_bytes_max));
  }
  if (lead < 0x90) {
    ++at_;
    return put_map(out, lead & 0x0fU, levels_left);
  }
  if (lead >= 0xa0 && lead < 0xc0) {
    ++at_;
    return put_text(out, lead & 0x1fU);
  }
  return put_long_value(out, levels_left);
}

char* Transcoder::put_long_value(char* out, std::uint32_t levels_left) {
  const auto number = [&](auto value) -> char* {
    if (!take(value)) return nullptr;
    out = room(out, json_text::number_bytes_max);
    if constexpr (std::is_signed_v<decltype(value)>) return json_text::put_signed(value, out);
    return json_text::put_unsigned(static_cast<std::uint64_t>(value), out);
  };
  switch (*at_) {
    // NOLINTBEGIN(bugprone-not-null-terminated-result): what is written has no end of its own
    case 0xc2:
      ++at_;
      return static_cast<char*>(std::memcpy(room(out, 8), "false", 5)) + 5;
    case 0xc3:
      ++at_;
      return static_cast<char*>(std::memcpy(room(out, 8), "true", 4)) + 4;
    // NOLINTEND(bugprone-not-null-terminated-result)
    case 0xcb: {
      const std::uint8_t* const begin = at_;
      std::uint64_t bits = 0;
      if (!take(bits)) return nullptr;
      out = room(out, json_text::number_bytes_max);
      char* const end = json_text::put_short_decimal(std::bit_cast<double>(bits), out);
      if (end != nullptr) return end;
      at_ = begin;
      break;
    }
    case 0xcc:
      return number(std::uint8_t{});
    case 0xcd:
      return number(std::uint16_t{});
    case 0xce:
      return number(std::uint32_t{});
    case 0xcf:
      return number(std::uint64_t{});
    case 0xd0:
      return number(std::int8_t{});
    case 0xd1:
      return number(std::int16_t{});
    case 0xd2:
      return number(std::int32_t{});
    case 0xd3:
      return number(std::int64_t{});
    case 0xd9:
    case 0xda:
    case 0xdb: {
      std::size_t size = 0;
      return take_text_size(size) ? put_text(out, size) : nullptr;
    }
    default:
      break;
  }
  Token token;
  out = put_other(out, [&](MsgpackReader& reader) {
    if (reader.next(token) != ReadStatus::ok) return false;
    if (token.type != TokenType::map && token.type != TokenType::array) write_scalar(token);
    return true;
  });
  if (out == nullptr || (token.type != TokenType::map && token.type != TokenType::array))
    return out;
  return token.type == TokenType::map ? put_map(out, token.count, levels_left)
                                      : put_array(out, token.count, levels_left);
}

/// Skips the lead byte and the number after it; false if that is cut short.
template <typename Int>
bool Transcoder::take(Int& value) {
  if (left() <= sizeof value) return false;
  value = proto::load_big_endian<Int>(at_ + 1);
  at_ += 1 + sizeof value;
  return true;
}

bool Transcoder::take_text_size(std::size_t& size) {
  const auto take_as = [&](auto width) {
    if (!take(width)) return false;
    size = width;
    return true;
  };
  const std::uint8_t lead = *at_;
  if (lead == 0xd9) return take_as(std::uint8_t{});
  return lead == 0xda ? take_as(std::uint16_t{}) : take_as(std::uint32_t{});
}

char* Transcoder::put_array(char* out, std::uint32_t count, std::uint32_t levels_left) {
  if (levels_left == 0) return nullptr;
  out = put_byte(out, '[');
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i != 0) out = put_byte(out, ',');
    out = put_value(out, levels_left - 1);
    if (out == nullptr) return nullptr;
  }
  return put_byte(out, ']');
}

char* Transcoder::put_map(char* out, std::uint32_t count, std::uint32_t levels_left) {
  if (levels_left == 0) return nullptr;
  out = put_byte(out, '{');
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i != 0) out = put_byte(out, ',');
    out = put_name(out);
    if (out == nullptr) return nullptr;
    out = put_byte(out, ':');
    out = put_value(out, levels_left - 1);
    if (out == nullptr) return nullptr;
  }
  return put_byte(out, '}');
}

char* Transcoder::put_name(char* out) {
  if (at_ == end_) return nullptr;
  const std::uint8_t lead = *at_;
  if (lead >= 0xa0 && lead < 0xc0) {
    ++at_;
    return put_text(out, lead & 0x1fU);
  }
  if (lead >= 0xd9 && lead <= 0xdb) {
    std::size_t size = 0;
    return take_text_size(size) ? put_text(out, size) : nullptr;
  }
  return put_other(out, [&](MsgpackReader& reader) {
    Token token;
    return reader.next(token) == ReadStatus::ok && write_odd_key(reader, token);
  });
}

char* Transcoder::put_long_text(char* out, std::size_t size) {
  if (left() < size) return nullptr;
  const std::string_view text(reinterpret_cast<const char*>(at_), size);
  at_ += size;
  writer_.set_end(out);
  writer_.string(text);
  return writer_.room(0);
}

template <typename Write>
char* Transcoder::put_other(char* out, const Write& write) {
  writer_.set_end(out);
  MsgpackReader reader(value_);
  reader.go_to(value_.size() - left());
  const bool is_ok = write(reader);
  at_ = value_.data() + reader.offset();
  return is_ok ? writer_.room(0) : nullptr;
}

bool Transcoder::write_odd_key(MsgpackReader& reader, const Token& token) {
  const std::size_t key_at = value_.size() - left();
  if (write_time(token)) return true;
  switch (token.type) {
    case TokenType::bin:
      write_scalar(token);
      return true;
    case TokenType::ext:
    case TokenType::array:
    case TokenType::map:
      reader.go_to(key_at);
      if (reader.skip_value() != ReadStatus::ok) return false;
      writer_.raw("\"$msgpack:");
      writer_.base64(value_.subspan(key_at, reader.offset() - key_at));
      writer_.put('"');
      return true;
    default:
      writer_.put('"');
      write_scalar(token);
      writer_.put('"');
      return true;
  }
}

void Transcoder::write_scalar(const Token& token) {
  switch (token.type) {
    case TokenType::boolean:
      return writer_.raw(token.boolean ? "true" : "false");
    case TokenType::uint:
      return writer_.unsigned_integer(token.uint);
    case TokenType::sint:
      return writer_.signed_integer(token.sint);
    case TokenType::real:
      return token.is_float32 ? writer_.real(static_cast<float>(token.real))
                              : writer_.real(token.real);
    case TokenType::bin:
      writer_.put('"');
      writer_.base64(token.bytes);
      return writer_.put('"');
    case TokenType::ext:
      if (!write_time(token)) write_ext(token);
      return;
    default:
      return writer_.raw("null");
  }
}

bool Transcoder::write_time(const Token& token) {
  std::int64_t seconds;
  std::uint32_t nanoseconds;
  if (!proto::timestamp_parts(token, seconds, nanoseconds)) return false;
  if (seconds < TimeText::seconds_min || seconds > TimeText::seconds_max) return false;
  writer_.put('"');
  writer_.raw(time_text_.format(seconds, nanoseconds));
  writer_.put('"');
  return true;
}

void Transcoder::write_ext(const Token& token) {
  writer_.raw("{\"$ext\":");
  writer_.signed_integer(token.ext_type);
  writer_.raw(",\"data\":\"");
  writer_.base64(token.bytes);
  writer_.raw("\"}");
}

}  // namespace

void write_json_value(proto::ByteView value, TimeText& time_text, JsonWriter& out) {
  const std::size_t begin = out.size();
  if (Transcoder(value, time_text, out).write()) return;
  out.cut(begin);
  out.raw("null");
}

}  // namespace outrider::sidecar
