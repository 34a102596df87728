#include "sidecar/sink/received_body.hpp"

#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <msgpack.hpp>

namespace outrider::sidecar {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Read {
  std::string error;
  std::vector<std::string> ids;
  std::vector<std::string> topics;
  std::vector<std::string> times;
  std::vector<std::string> json;
  std::vector<std::string> data;
};

Read read(BodySyntax syntax, const std::string& body, Detail detail = Detail::json) {
  Read result;
  const Status status = read_body(syntax, body, detail, [&result](const ReceivedEvent& event) {
    result.ids.emplace_back(event.id);
    result.topics.emplace_back(event.topic);
    result.times.emplace_back(event.time);
    result.json.emplace_back(event.json);
    result.data.emplace_back(event.data);
  });
  if (!status.ok()) result.error = status.error().message;
  return result;
}

std::string nested_array(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') +
         std::string(static_cast<std::size_t>(levels), ']');
}

std::string packed(const auto& pack) {
  msgpack::sbuffer buffer;
  msgpack::packer packer(buffer);
  pack(packer);
  return {buffer.data(), buffer.size()};
}

TEST(ReceivedBody, TheKindIsKnownByTheContentType) {
  EXPECT_EQ(body_syntax("application/json"), BodySyntax::json);
  EXPECT_EQ(body_syntax("application/json; charset=utf-8"), BodySyntax::json);
  EXPECT_EQ(body_syntax("application/x-ndjson"), BodySyntax::ndjson);
  EXPECT_EQ(body_syntax("application/msgpack"), BodySyntax::msgpack);
  EXPECT_EQ(body_syntax("application/vnd.msgpack"), BodySyntax::msgpack);
  EXPECT_EQ(body_syntax("text/plain"), std::nullopt);
  EXPECT_EQ(body_syntax(""), std::nullopt);
}

TEST(ReceivedBody, JsonIsAnArrayOfEvents) {
  const Read two = read(BodySyntax::json,
                        R"( [ {"id":"a", "topic":"orders.paid", "time":"2026-01-31T12:00:00Z",
                               "data": {"id":"inner", "list": [1, [2], {}]} },
                              {"data": null, "id": "b"} ] )");
  EXPECT_EQ(two.error, "");
  EXPECT_THAT(two.ids, ElementsAre("a", "b"));
  EXPECT_THAT(two.topics, ElementsAre("orders.paid", ""));
  EXPECT_THAT(two.times, ElementsAre("2026-01-31T12:00:00Z", ""));
  EXPECT_THAT(two.data, ElementsAre(R"({"id":"inner","list":[1,[2],{}]})", "null"));
  EXPECT_EQ(two.json[1], R"({"data":null,"id":"b"})");

  EXPECT_THAT(read(BodySyntax::json, "[]").ids, ElementsAre());
  EXPECT_THAT(read(BodySyntax::json, R"({"id":"alone"})").ids, ElementsAre("alone"));
}

TEST(ReceivedBody, NdjsonIsOneEventALine) {
  const Read two = read(BodySyntax::ndjson, "{\"id\":\"a\",\"data\":[1,2]}\n{\"id\":\"b\"}\n");
  EXPECT_EQ(two.error, "");
  EXPECT_THAT(two.ids, ElementsAre("a", "b"));
  EXPECT_THAT(two.data, ElementsAre("[1,2]", R"({"id":"b"})"));
}

TEST(ReceivedBody, DataAloneIsShownAsItIs) {
  EXPECT_THAT(read(BodySyntax::json, R"({"amount": 49.90})").data,
              ElementsAre(R"({"amount":49.90})"));
  EXPECT_THAT(read(BodySyntax::json, "7").data, ElementsAre("7"));
  EXPECT_THAT(read(BodySyntax::ndjson, "null\n\"a\"\n{\"b\":1}\n").data,
              ElementsAre("null", "\"a\"", "{\"b\":1}"));
}

TEST(ReceivedBody, APayloadIsOneEventWhateverStandsInIt) {
  const auto read_one = [](const std::string& body, Detail detail = Detail::json) {
    std::string seen;
    const Status status = read_payload(
        {.id = "7", .topic = "t", .time = "now"}, body, detail, [&](const ReceivedEvent& event) {
          seen += std::string(event.id) + " " + std::string(event.topic) + " " +
                  std::string(event.time) + " " + std::string(event.data);
          EXPECT_EQ(event.json, event.data);
        });
    return status.ok() ? seen : status.error().message;
  };
  for (const std::string data :
       {"1", "null", R"("a")", R"([{"id":"x"},{"id":"x"}])", R"({"id":"x","topic":"y"})",
        R"({"data":5})", "[18446744073709551615,49.990,1e-7]", "[]"}) {
    EXPECT_EQ(read_one(data), "7 t now " + data);
  }
  EXPECT_EQ(read_one(" [ 1 ] "), "7 t now [1]");
  EXPECT_EQ(read_one("[1]", Detail::ids), "7 t now ");
  EXPECT_EQ(read_one(nested_array(100'000)), "7 t now " + nested_array(100'000));
  EXPECT_THAT(read_one(""), HasSubstr("invalid JSON at byte 0"));
  EXPECT_THAT(read_one("1 2"), HasSubstr("something follows the JSON at byte 2"));
  EXPECT_THAT(read_one(std::string("1\0", 2)), HasSubstr("something follows the JSON at byte 1"));
  EXPECT_THAT(read_one("\"\xff\""), HasSubstr("not valid UTF-8"));
}

TEST(ReceivedBody, MsgpackIsAnArrayOfMaps) {
  const std::string body = packed([](auto& packer) {
    packer.pack_array(2);
    packer.pack_map(3);
    packer.pack(std::string("id")).pack(std::string("a"));
    packer.pack(std::string("topic")).pack(std::string("orders.paid"));
    packer.pack(std::string("data")).pack_array(9);
    packer.pack(std::numeric_limits<std::uint64_t>::max());
    packer.pack(std::numeric_limits<std::int64_t>::min());
    packer.pack(1.5).pack(std::numeric_limits<double>::quiet_NaN()).pack_nil().pack(true);
    packer.pack(std::vector<char>{'\x01', '\xff'});
    packer.pack(std::string("\xc3\xa4 \xff"));
    packer.pack_map(2).pack(-3).pack(1).pack(4).pack(2);
    packer.pack_map(1).pack(std::string("id")).pack(std::string("b"));
  });
  const Read two = read(BodySyntax::msgpack, body);
  EXPECT_EQ(two.error, "");
  EXPECT_THAT(two.ids, ElementsAre("a", "b"));
  EXPECT_THAT(two.data, ElementsAre("[18446744073709551615,-9223372036854775808,1.5,null,null,true,"
                                    "\"0x01ff\",\"\xc3\xa4 \xef\xbf\xbd\",{\"-3\":1,\"4\":2}]",
                                    "{\"id\":\"b\"}"));
}

TEST(ReceivedBody, CountingReadsTheIdsAndWritesNothing) {
  const Read counted = read(
      BodySyntax::json, R"([{"id":"a","topic":"t","data":{"id":"x"}},{"data":1}])", Detail::ids);
  EXPECT_EQ(counted.error, "");
  EXPECT_THAT(counted.ids, ElementsAre("a", ""));
  EXPECT_THAT(counted.json, ElementsAre("", ""));
  EXPECT_THAT(counted.data, ElementsAre("", ""));
}

TEST(ReceivedBody, NumbersAndTextComeThroughUnchanged) {
  const std::string event =
      R"({"data":[18446744073709551615,-9223372036854775808,49.990,1e-7,0.1,"\u0000\"\\ä😀"]})";
  EXPECT_THAT(read(BodySyntax::json, "[" + event + "]").json, ElementsAre(event));
}

TEST(ReceivedBody, WhatIsWrongIsSaidWithItsPlace) {
  struct Case {
    BodySyntax syntax;
    std::string body;
    std::string message;
  };
  const std::vector<Case> cases = {
      {BodySyntax::json, "", "invalid JSON at byte 0"},
      {BodySyntax::json, "[{\"a\":1}", "invalid JSON at byte 8"},
      {BodySyntax::json, "[{\"a\":nan}]", "invalid JSON at byte 7"},
      {BodySyntax::json, "[{},1]", "event 2 of the body is not an object"},
      {BodySyntax::json, "[[]]", "event 1 of the body is not an object"},
      {BodySyntax::json, "[] []", "something follows the JSON at byte 3"},
      {BodySyntax::json, std::string("[]\0[]", 5), "something follows the JSON at byte 2"},
      {BodySyntax::json, std::string("[]\0", 3), "something follows the JSON at byte 2"},
      {BodySyntax::ndjson, std::string("{}\0{}\n", 6), "invalid JSON at byte 2"},
      {BodySyntax::ndjson, std::string("{}\n\0", 4), "invalid JSON at byte 3"},
      {BodySyntax::json, "[{\"a\":\"\xff\"}]", "not valid UTF-8"},
      {BodySyntax::json, "[{\"data\":" + nested_array(33) + "}]", "nests too deep"},
      {BodySyntax::json, std::string(1'000'000, '['), "event 1 of the body is not an object"},
      {BodySyntax::ndjson, "", "invalid JSON at byte 0"},
      {BodySyntax::ndjson, "{}\n{]\n", "invalid JSON at byte 4"},
      {BodySyntax::ndjson, "{}\n[]\n", "event 2 of the body is not an object"},
      {BodySyntax::ndjson, "{\"data\":" + std::string(1'000'000, '['), "nests too deep"},
      {BodySyntax::msgpack, "", "invalid msgpack at byte 0"},
      {BodySyntax::msgpack, "\x91\xc1", "invalid msgpack at byte 2"},
      {BodySyntax::msgpack, "\x92\x80", "invalid msgpack at byte 2"},
      {BodySyntax::msgpack, "\x91\x80\xc0", "something follows the msgpack at byte 2"},
      {BodySyntax::msgpack, "\x91\x01", "event 1 of the body is not an object"},
      {BodySyntax::msgpack, "\x91\x81\xc0\x01", "invalid msgpack at byte 3"},
      {BodySyntax::msgpack, "\x91\x81\xa1" + ("a" + std::string(1'000'000, '\x91')),
       "nests too deep"},
  };
  for (const Case& bad : cases) {
    for (const Detail detail : {Detail::ids, Detail::json}) {
      EXPECT_THAT(read(bad.syntax, bad.body, detail).error, HasSubstr(bad.message))
          << bad.body.substr(0, 40);
    }
  }
  EXPECT_EQ(read(BodySyntax::json, "[{\"data\":" + nested_array(32) + "}]").error, "");
}

}  // namespace
}  // namespace outrider::sidecar
