#include "sidecar/encode/encoder.hpp"

#include <gtest/gtest.h>

#include "sidecar/encode/compress_encoder.hpp"
#include "sidecar/encode/transform_encoder.hpp"
#include "support/records.hpp"

namespace outrider::sidecar {
namespace {

using test::make_record;
using test::RecordFields;

/// The body of these events, made as the settings say.
Body body_of(const EncodeSettings& settings, const std::vector<RecordFields>& events) {
  const std::unique_ptr<Encoder> encoder = make_encoder(settings);
  Body body;
  encoder->begin(body);
  for (const RecordFields& fields : events) {
    const std::vector<std::uint8_t> record = make_record(fields);
    encoder->add(read_record(record.data()), body);
  }
  encoder->end(body);
  return body;
}

constexpr std::string_view id_member = R"("id":"00010203-0405-0607-0809-0a0b0c0d0e0f")";
constexpr std::string_view time_member = R"("time":"2026-01-31T12:00:00.123456789Z")";

TEST(Encoder, AnUnknownFormatHasNone) {
  EXPECT_EQ(make_encoder({.format = "xml"}), nullptr);
  EXPECT_EQ(make_encoder({.format = ""}), nullptr);
  EXPECT_EQ(make_encoder({.compression = "br"}), nullptr);
}

TEST(Encoder, MoreRulesThanCanBeKeptAreNotKeptInPart) {
  EncodeSettings settings;
  settings.rules.redact.resize(field_rules_max, parse_field_path("data.a").value());
  EXPECT_NE(make_encoder(settings), nullptr);
  settings.rules.drop.push_back(parse_drop("data.b").value());
  EXPECT_EQ(make_encoder(settings), nullptr);
}

TEST(Encoder, ContentTypes) {
  EXPECT_EQ(make_encoder({.format = "json"})->content_type(), "application/json");
  EXPECT_EQ(make_encoder({.format = "ndjson"})->content_type(), "application/x-ndjson");
  EXPECT_EQ(make_encoder({.format = "msgpack"})->content_type(), "application/msgpack");
  EXPECT_EQ(make_encoder({.format = "cloudevents_batch"})->content_type(),
            "application/cloudevents-batch+json");
  EXPECT_EQ(make_encoder({.format = "cloudevents_structured"})->content_type(),
            "application/cloudevents+json");
  EXPECT_EQ(make_encoder({.format = "cloudevents_binary"})->content_type(), "application/json");
  EXPECT_EQ(make_encoder({.format = "payload"})->content_type(), "application/json");
}

TEST(Encoder, ThoseThatTakeOneEventABodySaySo) {
  for (const EncoderRow& row : encoder_rows()) {
    const bool is_single = row.name == "payload" || row.name == "cloudevents_structured" ||
                           row.name == "cloudevents_binary";
    EXPECT_EQ(row.make({})->is_single(), is_single) << row.name;
  }
}

TEST(Encoder, TheSampleRateIsToldWithEachEvent) {
  EXPECT_TRUE(body_of({.format = "json", .sample_rate = 0.1}, {{.data = "\x01", .host = "h"}})
                  .bytes.ends_with(R"("data":1,"host":"h","sample_rate":0.1}])"));
  EXPECT_TRUE(body_of({.format = "ndjson", .sample_rate = 0.25}, {{}})
                  .bytes.ends_with(R"("data":null,"sample_rate":0.25})"
                                   "\n"));
  const std::string packed =
      body_of({.format = "msgpack_stream", .sample_rate = 0.5}, {{.data = "\x01"}}).bytes;
  EXPECT_EQ(packed[0], '\x85');
  EXPECT_TRUE(
      packed.ends_with("\xabsample_rate" + test::bytes_of({0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0})));
  EXPECT_NE(body_of({.format = "cloudevents_batch", .sample_rate = 0.1}, {{}})
                .bytes.find(R"("sampledrate":10,)"),
            std::string::npos);
  for (const EncoderRow& row : encoder_rows()) {
    EXPECT_EQ(body_of({.format = row.name}, {{}}).bytes.find("sample"), std::string::npos)
        << row.name;
  }
}

TEST(Encoder, JsonIsAnArrayOfObjects) {
  const Body body =
      body_of({.format = "json"},
              {{.data = "\x01"},
               {.data = "\x02", .id_text = "e-2", .key = "k", .trace = "t", .host = "h"}});
  const std::string first = "{" + std::string(id_member) + R"(,"topic":"orders.paid",)" +
                            std::string(time_member) + R"(,"data":1})";
  const std::string second = R"({"id":"e-2","topic":"orders.paid",)" + std::string(time_member) +
                             R"(,"data":2,"key":"k","trace":"t","host":"h"})";
  EXPECT_EQ(body.bytes, "[" + first + "," + second + "]");
  EXPECT_EQ(body.event_ends, (std::vector<std::uint32_t>{
                                 static_cast<std::uint32_t>(1 + first.size()),
                                 static_cast<std::uint32_t>(2 + first.size() + second.size())}));
}

TEST(Encoder, NdjsonIsOneObjectALine) {
  const Body body = body_of({.format = "ndjson"}, {{.data = "\x01"}, {.data = "\xa1\n"}});
  const std::string head = "{" + std::string(id_member) + R"(,"topic":"orders.paid",)" +
                           std::string(time_member) + R"(,"data":)";
  EXPECT_EQ(body.bytes, head + "1}\n" + head + "\"\\n\"}\n");
  EXPECT_EQ(body.event_ends.back(), body.bytes.size());
}

TEST(Encoder, MsgpackHandsTheDataThroughByteForByte) {
  // A number in a longer form than it needs, and text that is not UTF-8.
  const std::string data = test::bytes_of({0x92, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1, 0xa1, 0xff});
  const Body body = body_of({.format = "msgpack"}, {{.data = data, .id_text = "e-1"}});
  const std::string expected = test::bytes_of({0xdd, 0, 0, 0, 1, 0x84, 0xa2}) + "id" + '\xa3' +
                               "e-1" + '\xa5' + "topic" + '\xab' + "orders.paid" + '\xa4' + "time" +
                               '\xbe' + "2026-01-31T12:00:00.123456789Z" + '\xa4' + "data" + data;
  EXPECT_EQ(body.bytes, expected);
}

TEST(Encoder, TheMsgpackArrayCountsWhatWasKept) {
  const std::unique_ptr<Encoder> encoder = make_encoder({.format = "msgpack"});
  const std::vector<std::uint8_t> record = make_record({.data = "\x01"});
  Body body;
  encoder->begin(body);
  for (int i = 0; i < 259; ++i) encoder->add(read_record(record.data()), body);
  body.take_back();
  encoder->end(body);
  EXPECT_EQ(body.bytes.substr(0, 5), test::bytes_of({0xdd, 0, 0, 1, 2}));
  EXPECT_EQ(body.bytes.size(), body.event_ends.back());
}

TEST(Encoder, TheMsgpackStreamIsTheMapsAlone) {
  const Body array = body_of({.format = "msgpack"}, {{.data = "\x01"}, {.data = "\x02"}});
  const Body stream = body_of({.format = "msgpack_stream"}, {{.data = "\x01"}, {.data = "\x02"}});
  EXPECT_EQ(array.bytes.substr(5), stream.bytes);
  EXPECT_EQ(stream.bytes.substr(0, stream.event_ends[0]),
            stream.bytes.substr(stream.event_ends[0]).replace(stream.event_ends[0] - 1, 1, "\x01"));
}

TEST(Encoder, ABodyIsBegunAnewAndKeepsItsMemory) {
  for (const EncoderRow& row : encoder_rows()) {
    const std::unique_ptr<Encoder> encoder = row.make({});
    const std::vector<std::uint8_t> record = make_record({.data = "\x01"});
    Body body;
    const auto encode = [&] {
      encoder->begin(body);
      encoder->add(read_record(record.data()), body);
      encoder->end(body);
    };
    encode();
    const std::string first = body.bytes;
    const char* memory = body.bytes.data();
    encode();
    EXPECT_EQ(body.bytes, first) << row.name;
    EXPECT_EQ(body.bytes.data(), memory) << row.name;
    EXPECT_EQ(body.event_ends.size(), 1U) << row.name;
  }
}

/// A format whose destinations answer for each event.
class BulkEncoder final : public Encoder, private AnswerReader {
 public:
  void begin(Body& body) override { body.clear(); }
  void add(const RecordView&, Body& body) override { body.event_ends.push_back(0); }
  void end(Body&) override {}
  std::string_view content_type() const override { return "application/x-bulk"; }
  const AnswerReader* answer_reader() const override { return this; }

 private:
  bool read(int status, std::string_view answer, std::uint32_t events,
            std::vector<int>& statuses) const override {
    if (answer != "understood") return false;
    statuses.assign(events, status);
    return true;
  }
};

TEST(EncoderDecorator, LeavesToTheFormatWhatAnAnswerMeans) {
  const CompressEncoder encoder(
      std::make_unique<TransformEncoder>(std::make_unique<BulkEncoder>(), FieldRules{}),
      compressor_rows().front(), 0);
  EXPECT_EQ(encoder.content_type(), "application/x-bulk");
  const AnswerReader* const reader = encoder.answer_reader();
  ASSERT_NE(reader, nullptr);
  std::vector<int> statuses;
  EXPECT_FALSE(reader->read(200, "?", 2, statuses));
  EXPECT_TRUE(reader->read(207, "understood", 2, statuses));
  EXPECT_EQ(statuses, (std::vector<int>{207, 207}));
}

TEST(Encoder, AnswersCountAsAWholeUnlessAFormatReadsThem) {
  for (const EncoderRow& row : encoder_rows()) {
    EXPECT_EQ(row.make({})->answer_reader(), nullptr) << row.name;
  }
}

}  // namespace
}  // namespace outrider::sidecar
