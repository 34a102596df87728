// The golden vectors of proto/golden/, for tests that read them.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <rapidjson/document.h>

#include "proto/confirm.hpp"
#include "support/places.hpp"

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

struct GoldenAnswer {
  std::string name;
  std::vector<std::uint8_t> bytes;
  std::optional<proto::ConfirmAnswer> answer;  ///< none: the bytes are no answer
};

inline void read_golden_file(const std::string& name, rapidjson::Document& document) {
  std::ifstream file(test::source_path("proto/golden/") + name);
  std::ostringstream text;
  text << file.rdbuf();
  document.Parse(text.str().c_str());
  if (document.HasParseError()) throw std::runtime_error("proto/golden/" + name + " is no JSON");
}

inline std::vector<GoldenAnswer> read_golden_answers() {
  rapidjson::Document document;
  read_golden_file("answers.json", document);
  std::vector<GoldenAnswer> answers;
  for (const auto& row : document["answers"].GetArray()) {
    GoldenAnswer& golden = answers.emplace_back();
    golden.name = row["name"].GetString();
    golden.bytes = from_hex(row["hex"].GetString());
    if (!row.HasMember("answer")) continue;
    proto::ConfirmAnswer& answer = golden.answer.emplace();
    answer.sequence = row["answer"]["sequence"].GetUint64();
    answer.status = row["answer"]["status"].GetUint64();
    for (const auto& pair : row["answer"]["refused"].GetArray()) {
      answer.refused.push_back({pair[0].GetUint(), pair[1].GetUint()});
    }
    if (!row["answer"].HasMember("limits")) continue;
    const auto& limits = row["answer"]["limits"];
    answer.limits = {limits["f"].GetUint64(), limits["e"].GetUint64()};
  }
  return answers;
}

inline GoldenFile read_golden_frames() {
  rapidjson::Document document;
  read_golden_file("frames.json", document);

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
