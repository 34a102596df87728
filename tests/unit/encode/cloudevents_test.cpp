// CloudEvents and payload: what a request of them says, word for word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sidecar/encode/encoder.hpp"
#include "support/records.hpp"

namespace outrider::sidecar {
namespace {

using test::make_record;
using test::RecordFields;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

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

const std::string short_event =
    R"({"specversion":"1.0","id":"00010203-0405-0607-0809-0a0b0c0d0e0f","source":"/outrider",)"
    R"("type":"orders.paid","time":"2026-01-31T12:00:00.123456789Z",)"
    R"("datacontenttype":"application/json","data":1})";

TEST(CloudEvents, EachFieldBecomesItsAttribute) {
  const Body body = body_of(
      {.format = "cloudevents_structured", .sample_rate = 0.01},
      {{.data = "\x01", .id_text = "e-1", .key = "user-9", .trace = trace, .host = "web-1"}});
  EXPECT_EQ(body.bytes,
            R"({"specversion":"1.0","id":"e-1","source":"/outrider/web-1","type":"orders.paid",)"
            R"("time":"2026-01-31T12:00:00.123456789Z","datacontenttype":"application/json",)"
            R"("partitionkey":"user-9","traceparent":")" +
                std::string(trace) + R"(","sampledrate":100,"data":1})");
  EXPECT_THAT(body.headers, ElementsAre("traceparent: " + std::string(trace)));
}

TEST(CloudEvents, ManyAreAnArrayOrLines) {
  EXPECT_EQ(body_of({.format = "cloudevents_batch"}, {{.data = "\x01"}, {.data = "\x01"}}).bytes,
            "[" + short_event + "," + short_event + "]");
  EXPECT_EQ(body_of({.format = "cloudevents_lines"}, {{.data = "\x01"}, {.data = "\x01"}}).bytes,
            short_event + "\n" + short_event + "\n");
  EXPECT_THAT(body_of({.format = "cloudevents_batch"}, {{.trace = trace}}).headers, IsEmpty());
}

TEST(CloudEvents, TheSourceIsTheSettingAndTheHost) {
  const auto source = [](const char* setting, std::string_view host) {
    const Body body =
        body_of({.format = "cloudevents_binary", .cloudevents_source = setting}, {{.host = host}});
    return body.headers.at(2);
  };
  EXPECT_EQ(source("https://x.example/shop", ""), "ce-source: https://x.example/shop");
  EXPECT_EQ(source("https://x.example/shop", "web-1"), "ce-source: https://x.example/shop/web-1");
  EXPECT_EQ(source("/shop/", "web-1"), "ce-source: /shop/web-1");
  // Percent-encoded as a part of a url, and then once more as a part of a header.
  EXPECT_EQ(source("/shop", "web 1\n"), "ce-source: /shop/web%25201%250A");
}

TEST(CloudEvents, TheSourceFollowsTheHost) {
  const std::string body =
      body_of({.format = "cloudevents_batch"}, {{.host = "a"}, {}, {.host = "b"}, {.host = "b"}})
          .bytes;
  std::vector<std::string> sources;
  const std::string mark = R"("source":")";
  for (std::size_t at = body.find(mark); at != std::string::npos; at = body.find(mark, at + 1)) {
    const std::size_t begin = at + mark.size();
    sources.push_back(body.substr(begin, body.find('"', begin) - begin));
  }
  EXPECT_THAT(sources, ElementsAre("/outrider/a", "/outrider", "/outrider/b", "/outrider/b"));
}

TEST(CloudEvents, BinaryModeHasTheAttributesInHeaders) {
  const Body body =
      body_of({.format = "cloudevents_binary", .sample_rate = 0.1}, {{.data = "\x92\x01\xc0",
                                                                      .id_text = "e\"1%",
                                                                      .key = "ключ 1",
                                                                      .trace = trace,
                                                                      .host = "web-1"}});
  EXPECT_EQ(body.bytes, "[1,null]");
  EXPECT_THAT(body.headers,
              ElementsAre("ce-specversion: 1.0", "ce-id: e%221%25", "ce-source: /outrider/web-1",
                          "ce-type: orders.paid", "ce-time: 2026-01-31T12:00:00.123456789Z",
                          "ce-partitionkey: %D0%BA%D0%BB%D1%8E%D1%87%201",
                          "ce-traceparent: " + std::string(trace), "ce-sampledrate: 10",
                          "traceparent: " + std::string(trace)));
}

TEST(CloudEvents, IllFormedTextIsRepairedBeforeItIsEncoded) {
  const Body body = body_of({.format = "cloudevents_binary"}, {{.key = "a\xff"}});
  EXPECT_EQ(body.headers.at(5), "ce-partitionkey: a%EF%BF%BD");
}

TEST(CloudEvents, AttributesHaveNoControlCharacters) {
  const std::string key = "a\x01\n\x7f\xc2\x85\xef\xbf\xbf\xef\xb7\x90\xf0\x9f\xbf\xbf\xc3\xa9%";
  const std::string shown = "a%01%0A%7F%C2%85%EF%BF%BF%EF%B7%90%F0%9F%BF%BF\xc3\xa9%";
  EXPECT_THAT(
      body_of({.format = "cloudevents_structured"}, {{.id_text = "e\t", .key = key}}).bytes,
      testing::AllOf(HasSubstr("\"partitionkey\":\"" + shown + "\""), HasSubstr(R"("id":"e%09")")));
  EXPECT_THAT(
      body_of({.format = "cloudevents_binary"}, {{.id_text = "e\t", .key = "a\x01"}}).headers,
      testing::IsSupersetOf({"ce-id: e%2509", "ce-partitionkey: a%2501"}));
}

TEST(CloudEvents, ATraceThatIsNoTraceparentIsLeftOut) {
  const std::string ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";
  for (const std::string& bad :
       {std::string("abc"), "ff-" + ids + "01", "00-" + ids + "01-x", "00-" + ids + "0g",
        "00-" + ids + "0", "0A-" + ids + "01", "00-" + std::string(32, '0') + ids.substr(32) + "01",
        "00-" + ids.substr(0, 33) + std::string(16, '0') + "-01", "01-" + ids + "01-a\n",
        "01-" + ids + "01x", "00_" + ids + "01",
        "00-4BF92F3577b34da6a3ce929d0e0e4736-" + ids.substr(33) + "01"}) {
    EXPECT_EQ(body_of({.format = "cloudevents_structured"}, {{.trace = bad}}).bytes.find("trace"),
              std::string::npos)
        << bad;
    for (const char* format : {"cloudevents_structured", "cloudevents_binary", "payload"}) {
      for (const std::string& header : body_of({.format = format}, {{.trace = bad}}).headers) {
        EXPECT_EQ(header.find("trace"), std::string::npos) << header;
      }
    }
  }
  for (const std::string& good : {"00-" + ids + "01", "01-" + ids + "ff-more"}) {
    EXPECT_THAT(body_of({.format = "payload"}, {{.trace = good}}).headers,
                testing::Contains("traceparent: " + good));
  }
}

TEST(Payload, IsTheDataAlone) {
  EXPECT_THAT(body_of({.format = "payload"}, {{.data = "\x81\xa1k\x01"}}).bytes, R"({"k":1})");
  EXPECT_THAT(body_of({.format = "payload"}, {{}}).headers, IsEmpty());
  EXPECT_EQ(body_of({.format = "payload_lines"}, {{.data = "\x01"}, {.data = "\x02"}}).bytes,
            "1\n2\n");
}

TEST(Payload, TellsTraceAndRateInHeaders) {
  EXPECT_THAT(body_of({.format = "payload", .sample_rate = 0.1}, {{.trace = trace}}).headers,
              ElementsAre("traceparent: " + std::string(trace), "sample-rate: 0.1"));
}

TEST(Payload, ATraceThatIsNoHeaderIsLeftOut) {
  for (const char* text : {"00-ab\r\nX: y", "00 ab", "00-\xc3\xbc"}) {
    EXPECT_THAT(body_of({.format = "payload"}, {{.trace = text}}).headers, IsEmpty()) << text;
  }
}

TEST(Payload, HeadersAreThoseOfThisBodyAlone) {
  const std::unique_ptr<Encoder> encoder = make_encoder({.format = "payload"});
  const std::vector<std::uint8_t> with_trace = make_record({.trace = trace});
  const std::vector<std::uint8_t> without = make_record({});
  Body body;
  encoder->begin(body);
  encoder->add(read_record(with_trace.data()), body);
  encoder->end(body);
  encoder->begin(body);
  encoder->add(read_record(without.data()), body);
  encoder->end(body);
  EXPECT_THAT(body.headers, IsEmpty());
}

}  // namespace
}  // namespace outrider::sidecar
