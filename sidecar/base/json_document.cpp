#include "sidecar/base/json_document.hpp"

#include <bit>
#include <charconv>
#include <cstdint>

#include <msgpack.hpp>
#include <rapidjson/error/en.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "proto/msgpack_reader.hpp"
#include "sidecar/base/json_data.hpp"

namespace outrider::sidecar {
namespace {

using rapidjson::Value;

/// The output of msgpack-c's packer.
struct TextStream {
  std::string& text;
  void write(const char* bytes, std::size_t count) { text.append(bytes, count); }
};
using Packer = msgpack::packer<TextStream>;

void pack_text(const Value& value, Packer& packer) {
  packer.pack_str(value.GetStringLength());
  packer.pack_str_body(value.GetString(), value.GetStringLength());
}

/// msgpack-c's own pack_double makes an integer of 1.0.
void pack_double(double value, std::string& data) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  data += '\xcb';
  for (int shift = 56; shift >= 0; shift -= 8) data += static_cast<char>(bits >> shift);
}

/// False if the value nests deeper than the wire format allows.
bool pack(const Value& value, std::uint32_t depth, std::string& data) {
  if ((value.IsObject() || value.IsArray()) && depth == proto::depth_levels_max) return false;
  TextStream stream{data};
  Packer packer(stream);
  switch (value.GetType()) {
    case rapidjson::kNullType:
      packer.pack_nil();
      return true;
    case rapidjson::kFalseType:
      packer.pack_false();
      return true;
    case rapidjson::kTrueType:
      packer.pack_true();
      return true;
    case rapidjson::kStringType:
      pack_text(value, packer);
      return true;
    case rapidjson::kNumberType:
      if (value.IsUint64()) {
        packer.pack_uint64(value.GetUint64());
      } else if (value.IsInt64()) {
        packer.pack_int64(value.GetInt64());
      } else {
        pack_double(value.GetDouble(), data);
      }
      return true;
    case rapidjson::kArrayType:
      packer.pack_array(value.Size());
      for (const Value& element : value.GetArray()) {
        if (!pack(element, depth + 1, data)) return false;
      }
      return true;
    case rapidjson::kObjectType:
      packer.pack_map(value.MemberCount());
      for (const auto& member : value.GetObject()) {
        pack_text(member.name, packer);
        if (!pack(member.value, depth + 1, data)) return false;
      }
      return true;
  }
  return false;
}

bool is_of_number(char c) {
  return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/// Where in valid JSON an integer begins that 64 bits do not hold; npos: nowhere.
std::size_t find_large_integer(std::string_view json) {
  for (std::size_t at = 0; at < json.size(); ++at) {
    if (json[at] == '"') {
      while (json[++at] != '"') at += json[at] == '\\' ? 1 : 0;
      continue;
    }
    if (json[at] != '-' && (json[at] < '0' || json[at] > '9')) continue;
    const std::size_t begin = at;
    while (at < json.size() && is_of_number(json[at])) ++at;
    const std::string_view number = json.substr(begin, at-- - begin);
    if (number.find_first_of(".eE") != std::string_view::npos) continue;
    std::int64_t negative = 0;
    std::uint64_t positive = 0;
    const char* const end = number.data() + number.size();
    const auto read = number[0] == '-' ? std::from_chars(number.data(), end, negative)
                                       : std::from_chars(number.data(), end, positive);
    if (read.ec != std::errc()) return begin;
  }
  return std::string_view::npos;
}

}  // namespace

Status parse_json(std::string_view json, rapidjson::Document& document) {
  constexpr unsigned flags = rapidjson::kParseValidateEncodingFlag |
                             rapidjson::kParseFullPrecisionFlag | rapidjson::kParseIterativeFlag;
  // RapidJSON takes a zero byte for the end of the text.
  if (const std::size_t zero = json.find('\0'); zero != std::string_view::npos) {
    return Error{"invalid JSON at byte " + std::to_string(zero) + ": a zero byte"};
  }
  document.Parse<flags>(json.data(), json.size());
  if (!document.HasParseError()) {
    const std::size_t at = find_large_integer(json);
    if (at == std::string_view::npos) return Nothing{};
    return Error{"the integer at byte " + std::to_string(at) +
                 " does not fit in 64 bits; write it as text, or as a double with a decimal point"};
  }
  return Error{"invalid JSON at byte " + std::to_string(document.GetErrorOffset()) + ": " +
               rapidjson::GetParseError_En(document.GetParseError())};
}

std::string write_json(const Value& value) {
  rapidjson::StringBuffer text;
  rapidjson::Writer<rapidjson::StringBuffer> writer(text);
  value.Accept(writer);
  return {text.GetString(), text.GetSize()};
}

Result<std::string> pack_json(const Value& value) {
  std::string data;
  if (pack(value, 0, data)) return data;
  return Error{"the data nests deeper than " + std::to_string(proto::depth_levels_max) + " levels"};
}

Result<std::string> json_to_msgpack(std::string_view json) {
  rapidjson::Document document;
  if (Status parsed = parse_json(json, document); !parsed.ok()) return parsed.error();
  return pack_json(document);
}

}  // namespace outrider::sidecar
