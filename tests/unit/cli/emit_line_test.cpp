#include "sidecar/cli/emit_line.hpp"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <msgpack.hpp>

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned char>(c));
    text += digits;
  }
  return text;
}

/// The JSON as msgpack, in hex; or why not.
std::string converted(const std::string& json) {
  const auto data = json_to_msgpack(json);
  return data.ok() ? hex(data.value()) : data.error().message;
}

TEST(JsonToMsgpack, NumbersKeepAllTheirBits) {
  EXPECT_EQ(converted("0"), "00");
  EXPECT_EQ(converted("127"), "7f");
  EXPECT_EQ(converted("128"), "cc80");
  EXPECT_EQ(converted("-1"), "ff");
  EXPECT_EQ(converted("-33"), "d0df");
  EXPECT_EQ(converted("18446744073709551615"), "cfffffffffffffffff");
  EXPECT_EQ(converted("9007199254740993"), "cf0020000000000001");
  EXPECT_EQ(converted("-9223372036854775808"), "d38000000000000000");
  EXPECT_EQ(converted("0.1"), "cb3fb999999999999a");
  EXPECT_EQ(converted("1.0"), "cb3ff0000000000000");
  EXPECT_EQ(converted("18446744073709551616"), "cb43f0000000000000");
  EXPECT_EQ(converted("1.7976931348623157e308"), "cb7fefffffffffffff");
}

TEST(JsonToMsgpack, ValuesOfEveryKindNestInTheirOrder) {
  EXPECT_EQ(converted(R"({"z":[null,true,false],"a":{},"z":""})"), "83a17a93c0c3c2a16180a17aa0");
  EXPECT_EQ(converted(R"("ä\u00e4\ud83d\ude00\u0000")"), "a9c3a4c3a4f09f988000");
  EXPECT_EQ(converted(" [ ] "), "90");
  const std::string deep = std::string(32, '[') + std::string(32, ']');
  EXPECT_EQ(converted(deep), [] {
    std::string bytes;
    for (int i = 0; i < 31; ++i) bytes += "91";
    return bytes + "90";
  }());
}

TEST(JsonToMsgpack, WhatIsWrongIsSaidWithItsPlace) {
  EXPECT_THAT(converted(""), HasSubstr("invalid JSON at byte 0"));
  EXPECT_THAT(converted("{\"a\":}"), HasSubstr("invalid JSON at byte 5"));
  EXPECT_THAT(converted("[1] x"), HasSubstr("invalid JSON at byte 4"));
  EXPECT_THAT(converted("NaN"), HasSubstr("invalid JSON at byte 0"));
  EXPECT_THAT(converted("1e999"), HasSubstr("invalid JSON"));
  EXPECT_THAT(converted("\"\xff\""), HasSubstr("invalid JSON at byte 1"));
  EXPECT_THAT(converted(R"("\ud83d")"), HasSubstr("invalid JSON"));
  EXPECT_THAT(converted(std::string(33, '[') + std::string(33, ']')), HasSubstr("32 levels"));
  EXPECT_THAT(converted(std::string(1'000'000, '[')), HasSubstr("invalid JSON at byte 1000000"));
}

TEST(EmitLine, HasATopicAndDataAndWhateverAnEventCanCarry) {
  const auto plain = read_emit_line(R"({"topic":"orders.paid","data":{"a":1}})");
  ASSERT_TRUE(plain.ok()) << plain.error().message;
  EXPECT_EQ(plain.value().topic, "orders.paid");
  EXPECT_EQ(hex(plain.value().data), "81a16101");
  EXPECT_EQ(plain.value().time_ns, 0U);
  EXPECT_EQ(plain.value().priority, 1U);

  const auto full = read_emit_line(
      R"({"data":null,"time":1769860800123456789,"id":"x1","key":"k","trace":"00-aa",)"
      R"("at":"1970-01-01T00:00:01Z","ttl":5000,"pri":2,"topic":"t"})");
  ASSERT_TRUE(full.ok()) << full.error().message;
  EXPECT_EQ(hex(full.value().data), "c0");
  EXPECT_EQ(full.value().time_ns, 1769860800123456789U);
  EXPECT_EQ(full.value().id, "x1");
  EXPECT_EQ(full.value().key, "k");
  EXPECT_EQ(full.value().trace, "00-aa");
  EXPECT_EQ(full.value().at_ns, 1'000'000'000U);
  EXPECT_EQ(full.value().ttl_ms, 5000U);
  EXPECT_EQ(full.value().priority, 2U);
}

TEST(EmitLine, TimesAreReadAsTheyStandInBodies) {
  const auto time_ns = [](const std::string& time) -> std::uint64_t {
    const auto event = read_emit_line(R"({"topic":"t","data":1,"time":")" + time + "\"}");
    return event.ok() ? event.value().time_ns : 0;
  };
  EXPECT_EQ(time_ns("2026-01-31T12:00:00.123456789Z"), 1769860800123456789U);
  EXPECT_EQ(time_ns("2026-01-31T12:00:00Z"), 1769860800000000000U);
  EXPECT_EQ(time_ns("2024-02-29T23:59:59.5Z"), 1709251199500000000U);
  EXPECT_EQ(time_ns("2026-01-31T12:00:00+01:30"), 1769855400000000000U);
  EXPECT_EQ(time_ns("2026-01-31T12:00:00.5-01:30"), 1769866200500000000U);
  EXPECT_EQ(time_ns("2553-12-31T23:59:59.999999999Z"), 18429292799999999999U);
  for (const char* bad :
       {"", "now", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z",
        "1969-12-31T23:59:59Z", "2554-01-01T00:00:00Z", "2026-01-31T24:00:00Z",
        "2026-01-31T12:00:00.1234567890Z", "2026-01-31T12:00:00+0100", "2026-1-31T12:00:00Z",
        "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00+01:60", "1970-01-01T00:00:00+00:01",
        "2026-01-31T12:00:+0Z", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00ZZ"}) {
    EXPECT_EQ(time_ns(bad), 0U) << bad;
  }
}

TEST(EmitLine, WhatIsWrongIsSaid) {
  const auto message = [](const std::string& line) {
    const auto event = read_emit_line(line);
    return event.ok() ? std::string("nothing") : event.error().message;
  };
  EXPECT_THAT(message("nonsense"), HasSubstr("invalid JSON at byte 1"));
  EXPECT_THAT(message("[]"), HasSubstr("not an object"));
  EXPECT_THAT(message("{}"), HasSubstr("\"topic\" is missing"));
  EXPECT_THAT(message(R"({"topic":"t"})"), HasSubstr("\"data\" is missing"));
  EXPECT_THAT(message(R"({"topic":1,"data":1})"), HasSubstr("\"topic\": must be text"));
  EXPECT_THAT(message(R"({"topc":"t","data":1})"), HasSubstr("did you mean \"topic\"?"));
  EXPECT_THAT(message(R"({"topic":"t","data":1,"time":-1})"), HasSubstr("\"time\": must be"));
  EXPECT_THAT(message(R"({"topic":"t","data":1,"time":1.5})"), HasSubstr("\"time\": must be"));
  EXPECT_THAT(message(R"({"topic":"t","data":1,"pri":3})"), HasSubstr("from 0 to 2"));
  EXPECT_THAT(message(R"({"topic":"t","data":1,"ttl":"5s"})"), HasSubstr("\"ttl\": must be"));
}

}  // namespace
}  // namespace outrider::sidecar
