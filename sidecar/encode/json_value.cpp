#include "sidecar/encode/json_value.hpp"

#include "proto/msgpack_reader.hpp"

namespace outrider::sidecar {
namespace {

using proto::MsgpackReader;
using proto::ReadStatus;
using proto::Token;
using proto::TokenType;

class Transcoder {
 public:
  Transcoder(proto::ByteView value, TimeText& time_text, JsonWriter& out)
      : value_(value), reader_(value), time_text_(time_text), out_(out) {}

  bool write_value(std::uint32_t levels_left);

 private:
  bool write_array(std::uint32_t count, std::uint32_t levels_left);
  bool write_map(std::uint32_t count, std::uint32_t levels_left);
  bool write_name(bool is_first);
  /// A key that is no str. Containers are not written as JSON text inside a string: a map as the
  /// key of a map as the key of a map would double its backslashes at each level.
  bool write_odd_key(const Token& token, std::size_t key_at);
  void write_scalar(const Token& token);
  bool write_time(const Token& token);
  void write_ext(const Token& token);

  proto::ByteView value_;
  MsgpackReader reader_;
  TimeText& time_text_;
  JsonWriter& out_;
};

bool Transcoder::write_value(std::uint32_t levels_left) {
  Token token;
  if (reader_.next(token) != ReadStatus::ok) return false;
  if (token.type == TokenType::str) {
    out_.string(proto::as_text(token.bytes));
    return true;
  }
  if (token.type == TokenType::map) return write_map(token.count, levels_left);
  if (token.type == TokenType::array) return write_array(token.count, levels_left);
  write_scalar(token);
  return true;
}

bool Transcoder::write_array(std::uint32_t count, std::uint32_t levels_left) {
  if (levels_left == 0) return false;
  out_.put('[');
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i != 0) out_.put(',');
    if (!write_value(levels_left - 1)) return false;
  }
  out_.put(']');
  return true;
}

bool Transcoder::write_map(std::uint32_t count, std::uint32_t levels_left) {
  if (levels_left == 0) return false;
  out_.put('{');
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!write_name(i == 0)) return false;
    if (!write_value(levels_left - 1)) return false;
  }
  out_.put('}');
  return true;
}

bool Transcoder::write_name(bool is_first) {
  const std::size_t key_at = reader_.offset();
  Token token;
  if (reader_.next(token) != ReadStatus::ok) return false;
  if (token.type == TokenType::str) {
    out_.name(proto::as_text(token.bytes), is_first);
    return true;
  }
  if (!is_first) out_.put(',');
  if (!write_odd_key(token, key_at)) return false;
  out_.put(':');
  return true;
}

bool Transcoder::write_odd_key(const Token& token, std::size_t key_at) {
  if (write_time(token)) return true;
  switch (token.type) {
    case TokenType::bin:
      write_scalar(token);
      return true;
    case TokenType::ext:
    case TokenType::array:
    case TokenType::map:
      reader_.go_to(key_at);
      if (reader_.skip_value() != ReadStatus::ok) return false;
      out_.raw("\"$msgpack:");
      out_.base64(value_.subspan(key_at, reader_.offset() - key_at));
      out_.put('"');
      return true;
    default:
      out_.put('"');
      write_scalar(token);
      out_.put('"');
      return true;
  }
}

void Transcoder::write_scalar(const Token& token) {
  switch (token.type) {
    case TokenType::boolean:
      return out_.raw(token.boolean ? "true" : "false");
    case TokenType::uint:
      return out_.unsigned_integer(token.uint);
    case TokenType::sint:
      return out_.signed_integer(token.sint);
    case TokenType::real:
      return token.is_float32 ? out_.real(static_cast<float>(token.real)) : out_.real(token.real);
    case TokenType::bin:
      out_.put('"');
      out_.base64(token.bytes);
      return out_.put('"');
    case TokenType::ext:
      if (!write_time(token)) write_ext(token);
      return;
    default:
      return out_.raw("null");
  }
}

bool Transcoder::write_time(const Token& token) {
  std::int64_t seconds;
  std::uint32_t nanoseconds;
  if (!proto::timestamp_parts(token, seconds, nanoseconds)) return false;
  if (seconds < TimeText::seconds_min || seconds > TimeText::seconds_max) return false;
  out_.put('"');
  out_.raw(time_text_.format(seconds, nanoseconds));
  out_.put('"');
  return true;
}

void Transcoder::write_ext(const Token& token) {
  out_.raw("{\"$ext\":");
  out_.signed_integer(token.ext_type);
  out_.raw(",\"data\":\"");
  out_.base64(token.bytes);
  out_.raw("\"}");
}

}  // namespace

void write_json_value(proto::ByteView value, TimeText& time_text, JsonWriter& out) {
  const std::size_t begin = out.size();
  if (Transcoder(value, time_text, out).write_value(proto::depth_levels_max)) return;
  out.cut(begin);
  out.raw("null");
}

}  // namespace outrider::sidecar
