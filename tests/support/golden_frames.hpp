// The golden vectors of proto/golden/frames.json, for tests that read them.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <rapidjson/document.h>

namespace outrider::test {

/// An event's or a header's fields by their names in the file, values as text, bytes in hex.
using GoldenFields = std::map<std::string, std::string>;

struct GoldenEvent {
  unsigned refusal = 0;
  GoldenFields fields;
};

struct GoldenFrame {
  std::string name;
  std::vector<std::uint8_t> bytes;
  unsigned refusal = 0;
  GoldenFields header;
  std::vector<GoldenEvent> events;
};

struct GoldenFile {
  std::size_t frame_bytes_max = 0;
  std::size_t event_bytes_max = 0;
  std::vector<GoldenFrame> frames;
};

inline std::vector<std::uint8_t> from_hex(std::string_view hex) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoul(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

template <typename Bytes>
std::string to_hex(const Bytes& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const std::uint8_t byte : bytes) {
    hex.push_back(digits[byte >> 4U]);
    hex.push_back(digits[byte & 0x0fU]);
  }
  return hex;
}

/// Adds the members of a JSON object; those of an object inside as "outer.inner".
inline void add_golden_fields(const rapidjson::Value& object, const std::string& prefix,
                              GoldenFields& fields) {
  for (const auto& member : object.GetObject()) {
    const std::string name = prefix + member.name.GetString();
    if (member.value.IsObject()) {
      add_golden_fields(member.value, name + ".", fields);
    } else if (member.value.IsString()) {
      fields[name].assign(member.value.GetString(), member.value.GetStringLength());
    } else {
      fields[name] = std::to_string(member.value.GetUint64());
    }
  }
}

inline GoldenFile read_golden_frames() {
  std::ifstream file(OUTRIDER_SOURCE_DIR "/proto/golden/frames.json");
  std::ostringstream text;
  text << file.rdbuf();
  rapidjson::Document document;
  document.Parse(text.str().c_str());
  if (document.HasParseError()) throw std::runtime_error("proto/golden/frames.json cannot be read");

  GoldenFile golden;
  golden.frame_bytes_max = document["limits"]["frame_bytes_max"].GetUint64();
  golden.event_bytes_max = document["limits"]["event_bytes_max"].GetUint64();
  for (const auto& row : document["frames"].GetArray()) {
    GoldenFrame& frame = golden.frames.emplace_back();
    frame.name = row["name"].GetString();
    frame.bytes = from_hex(row["hex"].GetString());
    frame.refusal = row["refusal"].GetUint();
    if (row.HasMember("header")) add_golden_fields(row["header"], "", frame.header);
    if (!row.HasMember("events")) continue;
    for (const auto& event : row["events"].GetArray()) {
      GoldenEvent& expected = frame.events.emplace_back();
      add_golden_fields(event, "", expected.fields);
      expected.refusal = event["refusal"].GetUint();
      expected.fields.erase("refusal");
    }
  }
  return golden;
}

}  // namespace outrider::test
