#include "sidecar/ingest/value_text.hpp"

#include <fmt/format.h>

#include "proto/msgpack_reader.hpp"
#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

std::string scalar_text(const proto::Token& token, std::size_t bytes_max) {
  switch (token.type) {
    case proto::TokenType::nil:
      return "nil";
    case proto::TokenType::boolean:
      return token.boolean ? "true" : "false";
    case proto::TokenType::uint:
      return fmt::format("{}", token.uint);
    case proto::TokenType::sint:
      return fmt::format("{}", token.sint);
    case proto::TokenType::real:
      return fmt::format("{}", token.real);
    case proto::TokenType::str:
      return '"' + printable(proto::as_text(token.bytes), bytes_max) + '"';
    case proto::TokenType::bin:
      return fmt::format("bin of {} bytes", token.bytes.size());
    case proto::TokenType::ext:
      return fmt::format("ext {} of {} bytes", token.ext_type, token.bytes.size());
    case proto::TokenType::array:
      return fmt::format("array of {}", token.count);
    case proto::TokenType::map:
      return fmt::format("map of {}", token.count);
  }
  return {};
}

std::string kind_text(const proto::Token& token) {
  switch (token.type) {
    case proto::TokenType::boolean:
      return "bool";
    case proto::TokenType::uint:
    case proto::TokenType::sint:
      return "int";
    case proto::TokenType::real:
      return "float";
    case proto::TokenType::str:
      return fmt::format("str of {} bytes", token.bytes.size());
    default:
      return scalar_text(token, 0);
  }
}

/// The next value, a container only by its size.
std::string next_text(proto::MsgpackReader& reader, std::size_t bytes_max) {
  proto::MsgpackReader peek = reader;
  proto::Token token;
  if (peek.next(token) != proto::ReadStatus::ok || reader.skip_value() != proto::ReadStatus::ok) {
    return "?";
  }
  return scalar_text(token, bytes_max);
}

}  // namespace

std::string value_kind(proto::ByteView value) {
  proto::MsgpackReader reader(value);
  proto::Token token;
  return reader.next(token) == proto::ReadStatus::ok ? kind_text(token) : "?";
}

std::string value_text(proto::ByteView value, std::size_t bytes_max) {
  proto::MsgpackReader reader(value);
  proto::Token token;
  if (reader.next(token) != proto::ReadStatus::ok) return "?";
  const bool is_map = token.type == proto::TokenType::map;
  if (!is_map && token.type != proto::TokenType::array) return scalar_text(token, bytes_max);
  std::string text(is_map ? "{" : "[");
  for (std::uint32_t left = token.count; left > 0; --left) {
    if (text.size() > bytes_max) return text + "...";
    if (text.size() > 1) text += ", ";
    text += next_text(reader, bytes_max);
    if (!is_map) continue;
    text += ": ";
    text += next_text(reader, bytes_max);
  }
  return text + (is_map ? "}" : "]");
}

}  // namespace outrider::sidecar
