// What every encoder must do, over all rows of encoders.cpp: a body that parses, with the same
// events in it, whatever the events hold; and a golden file that says exactly how it looks.
//
// A new row needs a reader below and a file tests/golden/body.NAME (in hex if it is no text; the
// bodies of single events one behind the other, each with its headers); both fail by name if
// missing.
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>
#include <msgpack.hpp>
#include <rapidjson/document.h>

#include "proto/msgpack_reader.hpp"
#include "proto/utf8.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/encode/encoder.hpp"
#include "support/golden_frames.hpp"
#include "support/places.hpp"
#include "support/records.hpp"

namespace outrider::sidecar {
namespace {

using test::bytes_of;
using test::make_record;
using test::RecordFields;

/// The texts around the data of one event, by their names; and whether it has data.
struct ReadEvent {
  std::map<std::string, std::string> texts;
  bool has_data = false;
};
using ReadBody = std::vector<ReadEvent>;

/// What becomes of our fields' names elsewhere.
using Names = std::map<std::string, std::string>;
const Names cloudevents_names = {{"type", "topic"},
                                 {"partitionkey", "key"},
                                 {"traceparent", "trace"},
                                 {"id", "id"},
                                 {"time", "time"}};

/// Attributes that every CloudEvent has the same, and the host as the source tells it.
void read_cloudevents_attribute(const std::string& name, const std::string& text,
                                ReadEvent& event) {
  const std::string source = "/outrider";
  if (const auto ours = cloudevents_names.find(name); ours != cloudevents_names.end()) {
    event.texts[ours->second] = text;
  } else if (name == "specversion") {
    EXPECT_EQ(text, "1.0");
  } else if (name == "datacontenttype") {
    EXPECT_EQ(text, "application/json");
  } else {
    EXPECT_EQ(name, "source");
    EXPECT_TRUE(text.starts_with(source)) << text;
    if (text != source) event.texts["host"] = text.substr(source.size() + 1);
  }
}

ReadEvent read_cloudevents_object(const rapidjson::Value& object) {
  ReadEvent event;
  for (const auto& member : object.GetObject()) {
    const std::string name = member.name.GetString();
    if (name == "data") {
      event.has_data = true;
    } else {
      read_cloudevents_attribute(name, {member.value.GetString(), member.value.GetStringLength()},
                                 event);
    }
  }
  return event;
}

ReadEvent read_json_object(const rapidjson::Value& object) {
  ReadEvent event;
  for (const auto& member : object.GetObject()) {
    const std::string name = member.name.GetString();
    if (name == "data") {
      event.has_data = true;
    } else {
      event.texts[name] = {member.value.GetString(), member.value.GetStringLength()};
    }
  }
  return event;
}

void parse_json(const std::string& text, rapidjson::Document& document) {
  EXPECT_TRUE(proto::is_valid_utf8(text));
  document.Parse<rapidjson::kParseValidateEncodingFlag>(text.data(), text.size());
  ASSERT_FALSE(document.HasParseError()) << text;
}

using ReadObject = ReadEvent (*)(const rapidjson::Value& object);

template <ReadObject read_object>
void read_array(const Body& body, ReadBody& events) {
  rapidjson::Document document;
  ASSERT_NO_FATAL_FAILURE(parse_json(body.bytes, document));
  ASSERT_TRUE(document.IsArray());
  for (const auto& object : document.GetArray()) events.push_back(read_object(object));
}

template <ReadObject read_object>
void read_lines(const Body& body, ReadBody& events) {
  ASSERT_TRUE(body.bytes.empty() || body.bytes.back() == '\n');
  std::istringstream lines(body.bytes);
  for (std::string line; std::getline(lines, line);) {
    rapidjson::Document document;
    ASSERT_NO_FATAL_FAILURE(parse_json(line, document));
    events.push_back(read_object(document));
  }
}

template <ReadObject read_object>
void read_one(const Body& body, ReadBody& events) {
  if (body.event_ends.empty()) {
    ASSERT_EQ(body.bytes, "");
    return;
  }
  rapidjson::Document document;
  ASSERT_NO_FATAL_FAILURE(parse_json(body.bytes, document));
  events.push_back(read_object(document));
}

ReadEvent read_payload_object(const rapidjson::Value&) {
  return {.texts = {}, .has_data = true};
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      out.push_back(static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16)));
      i += 2;
    }
  }
  return out;
}

void read_binary(const Body& body, ReadBody& events) {
  read_one<read_payload_object>(body, events);
  if (events.empty()) return;
  for (const std::string& line : body.headers) {
    for (const char c : line) ASSERT_TRUE(c >= 0x20 && c <= 0x7e) << line;
    const std::size_t colon = line.find(": ");
    if (line.starts_with("ce-")) {
      read_cloudevents_attribute(line.substr(3, colon - 3), percent_decoded(line.substr(colon + 2)),
                                 events[0]);
    }
  }
}

void read_maps(const std::string& body, ReadBody& events) {
  std::size_t offset = 0;
  const msgpack::object_handle handle = msgpack::unpack(body.data(), body.size(), offset);
  ASSERT_EQ(offset, body.size());
  std::vector<std::map<std::string, msgpack::object>> maps;
  handle.get().convert(maps);
  for (const auto& map : maps) {
    ReadEvent& event = events.emplace_back();
    for (const auto& [name, value] : map) {
      if (name == "data") {
        event.has_data = true;
      } else {
        event.texts[name] = value.as<std::string>();
      }
    }
  }
}

void read_msgpack(const Body& body, ReadBody& events) {
  read_maps(body.bytes, events);
}

void read_msgpack_stream(const Body& body, ReadBody& events) {
  // The same maps with an array around them: an array 32 counts any number of them.
  std::uint32_t count = 0;
  for (std::size_t offset = 0; offset < body.bytes.size(); ++count) {
    ASSERT_NO_THROW(msgpack::unpack(body.bytes.data(), body.bytes.size(), offset));
  }
  std::string array = "\xdd";
  for (int shift = 24; shift >= 0; shift -= 8) array += static_cast<char>((count >> shift) & 0xffU);
  read_maps(array + body.bytes, events);
}

struct Reader {
  void (*read)(const Body& body, ReadBody& events);
  bool has_texts = true;  ///< the texts around the data are in the body or its headers
};
const std::map<std::string_view, Reader> readers = {
    {"json", {read_array<read_json_object>}},
    {"ndjson", {read_lines<read_json_object>}},
    {"msgpack", {read_msgpack}},
    {"msgpack_stream", {read_msgpack_stream}},
    {"cloudevents_batch", {read_array<read_cloudevents_object>}},
    {"cloudevents_structured", {read_one<read_cloudevents_object>}},
    {"cloudevents_lines", {read_lines<read_cloudevents_object>}},
    {"cloudevents_binary", {read_binary}},
    {"payload", {read_one<read_payload_object>, false}},
    {"payload_lines", {read_lines<read_payload_object>, false}}};

/// One value of every kind, and those that are hard to write as JSON.
std::vector<std::string> hard_data() {
  std::vector<std::string> data = {
      bytes_of({0xc0}),
      bytes_of({0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0}),
      bytes_of({0xca, 0xff, 0x80, 0, 0}),
      bytes_of({0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
      bytes_of({0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0}),
      bytes_of({0xa3, 0xff, '"', '\\'}),
      bytes_of({0xd9, 0x06, 0, 0x1f, 0x7f, 0xed, 0xa0, 0x80}),
      bytes_of({0xc4, 0x02, 0x00, 0xff}),
      bytes_of({0xd4, 0x7f, 0x01}),
      bytes_of({0xd6, 0xff, 0, 0, 0, 1}),
      bytes_of({0x82, 0xa1, 'k', 0x01, 0xa1, 'k', 0x02}),
      bytes_of(
          {0x84, 0xc0, 0x01, 0x91, 0x05, 0x02, 0x81, 0x06, 0x07, 0x03, 0xd4, 0x01, 0x02, 0x04}),
      std::string(31, '\x91') + '\x90',
  };
  std::string keys_in_keys;
  for (int i = 0; i < 32; ++i) keys_in_keys += '\x81';
  data.push_back(keys_in_keys + "\xa1\"" + std::string(32, '\xc0'));
  return data;
}

std::vector<RecordFields> hard_events(const std::vector<std::string>& data) {
  std::vector<RecordFields> events;
  for (const std::string& value : data) events.push_back({.data = value});
  events.push_back({.data = "\x01",
                    .id_text = "evt \"1\"",
                    .key = "ключ",
                    .trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                    .host = "web-1"});
  events.push_back({.data = "\x01", .topic = std::string_view("a"), .time_ns = 1});
  return events;
}

Body encode(Encoder& encoder, const std::vector<RecordFields>& events) {
  Body body;
  encoder.begin(body);
  for (const RecordFields& fields : events) {
    const std::vector<std::uint8_t> record = make_record(fields);
    encoder.add(read_record(record.data()), body);
  }
  encoder.end(body);
  return body;
}

/// All events in one body, or each in its own.
std::vector<Body> encode_all(const EncoderRow& row, const std::vector<RecordFields>& events) {
  const std::unique_ptr<Encoder> encoder = row.make({});
  if (!encoder->is_single()) return {encode(*encoder, events)};
  std::vector<Body> bodies;
  for (const RecordFields& fields : events) bodies.push_back(encode(*encoder, {fields}));
  return bodies;
}

std::map<std::string, std::string> expected_texts(const RecordFields& fields) {
  std::map<std::string, std::string> texts = {
      {"id", fields.id_text.empty() ? "00010203-0405-0607-0809-0a0b0c0d0e0f"
                                    : std::string(fields.id_text)},
      {"topic", std::string(fields.topic)},
      {"time",
       fields.time_ns == 1 ? "1970-01-01T00:00:00.000000001Z" : "2026-01-31T12:00:00.123456789Z"}};
  if (!fields.key.empty()) texts["key"] = fields.key;
  if (!fields.trace.empty()) texts["trace"] = fields.trace;
  if (!fields.host.empty()) texts["host"] = fields.host;
  return texts;
}

class EncoderConformance : public testing::TestWithParam<EncoderRow> {
 protected:
  void read(const std::vector<Body>& bodies, ReadBody& events) {
    const auto reader = readers.find(GetParam().name);
    ASSERT_NE(reader, readers.end()) << "no reader for " << GetParam().name;
    for (const Body& body : bodies) {
      ReadBody read_events;
      ASSERT_NO_FATAL_FAILURE(reader->second.read(body, read_events));
      events.insert(events.end(), read_events.begin(), read_events.end());
    }
    has_texts_ = reader->second.has_texts;
  }

  bool has_texts_ = true;
};

TEST_P(EncoderConformance, HardEventsArriveWhole) {
  const std::vector<std::string> data = hard_data();
  const std::vector<RecordFields> events = hard_events(data);
  ReadBody read_events;
  ASSERT_NO_FATAL_FAILURE(read(encode_all(GetParam(), events), read_events));
  ASSERT_EQ(read_events.size(), events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (has_texts_) {
      EXPECT_EQ(read_events[i].texts, expected_texts(events[i])) << i;
    }
    EXPECT_TRUE(read_events[i].has_data) << i;
  }
}

TEST_P(EncoderConformance, NoEventsAreABodyToo) {
  ReadBody events;
  ASSERT_NO_FATAL_FAILURE(read({encode(*GetParam().make({}), {})}, events));
  EXPECT_TRUE(events.empty());
}

TEST_P(EncoderConformance, EventEndsGrowAndStayInside) {
  const std::vector<std::string> data = hard_data();
  const std::vector<RecordFields> events = hard_events(data);
  std::size_t ends = 0;
  for (const Body& body : encode_all(GetParam(), events)) {
    std::uint32_t before = 0;
    for (const std::uint32_t end : body.event_ends) {
      EXPECT_GT(end, before);
      before = end;
    }
    EXPECT_LE(before, body.bytes.size());
    ends += body.event_ends.size();
  }
  EXPECT_EQ(ends, events.size());
}

TEST_P(EncoderConformance, RandomDataMakesABodyThatParses) {
  Random random(20'260'131);
  std::vector<std::string> data;
  while (data.size() < 2000) {
    std::string value;
    for (std::uint64_t left = 1 + random.below(40); left > 0; --left) {
      value.push_back(static_cast<char>(random.next()));
    }
    proto::MsgpackReader reader(proto::as_bytes(value));
    if (reader.skip_value() == proto::ReadStatus::ok)
      data.push_back(value.substr(0, reader.offset()));
  }
  std::vector<RecordFields> events;
  for (const std::string& value : data) events.push_back({.data = value});
  ReadBody read_events;
  ASSERT_NO_FATAL_FAILURE(read(encode_all(GetParam(), events), read_events));
  EXPECT_EQ(read_events.size(), events.size());
}

/// Nobody can write a header through an event, and every header is one line.
TEST_P(EncoderConformance, RandomTextsStayInTheirHeaders) {
  Random random(20'260'131);
  const std::unique_ptr<Encoder> encoder = GetParam().make({.sample_rate = 0.5});
  for (int round = 0; round < 1000; ++round) {
    std::string text;
    for (std::uint64_t left = random.below(12); left > 0; --left) {
      text.push_back(random.chance(0.3) ? "\r\n: %"[random.below(5)]
                                        : static_cast<char>(random.next()));
    }
    const Body body = encode(*encoder, {{.key = text, .trace = text, .host = text}});
    EXPECT_TRUE(encoder->is_single() || body.headers.empty());
    for (const std::string& line : body.headers) {
      for (const char c : line) ASSERT_TRUE(c >= 0x20 && c <= 0x7e) << line;
    }
  }
}

/// Whatever the format, a redacted value is nowhere in what is sent.
TEST_P(EncoderConformance, WhatIsRedactedIsNotSent) {
  const std::string data = test::packed([](auto& packer) {
    packer.pack_map(2);
    packer.pack("password");
    packer.pack("hunter2");
    packer.pack("cards");
    packer.pack_array(1);
    packer.pack_map(1);
    packer.pack("number");
    packer.pack("hunter2");
  });
  EncodeSettings settings{.format = GetParam().name};
  for (const char* path : {"data.password", "data.cards.*.number"}) {
    settings.rules.redact.push_back(parse_field_path(path).value());
  }
  const Body body = encode(*make_encoder(settings), {{.data = data}});
  EXPECT_EQ(body.bytes.find("hunter2"), std::string::npos);
  EXPECT_NE(body.bytes.find("[redacted]"), std::string::npos);
}

TEST_P(EncoderConformance, TheBodyIsThatOfTheGoldenFile) {
  const std::vector<std::string> data = hard_data();
  const bool is_text = !GetParam().name.starts_with("msgpack");
  std::string actual;
  for (const Body& body : encode_all(GetParam(), hard_events(data))) {
    for (const std::string& line : body.headers) actual += line + "\n";
    actual += (is_text ? body.bytes : test::to_hex(body.bytes)) + "\n";
  }

  const std::string path = test::source_path("tests/golden/body.") + std::string(GetParam().name);
  std::ifstream file(path);
  ASSERT_TRUE(file.is_open()) << path << " should hold\n" << actual;
  std::ostringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(actual, expected.str());
}

INSTANTIATE_TEST_SUITE_P(, EncoderConformance, testing::ValuesIn(encoder_rows()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace outrider::sidecar
