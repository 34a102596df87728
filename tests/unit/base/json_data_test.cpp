#include "sidecar/base/json_data.hpp"

#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_EQ(converted("18446744073709551616.0"), "cb43f0000000000000");
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
  using namespace std::string_literals;
  EXPECT_THAT(converted("\0[]"s), HasSubstr("invalid JSON at byte 0: a zero byte"));
  EXPECT_THAT(converted("[1]\0[2]"s), HasSubstr("invalid JSON at byte 3: a zero byte"));
  EXPECT_THAT(converted("[1]\0"s), HasSubstr("invalid JSON at byte 3: a zero byte"));
  EXPECT_THAT(converted("\"a\0b\""s), HasSubstr("invalid JSON at byte 2: a zero byte"));
  const char* const too_large = "the integer at byte 5 does not fit in 64 bits";
  EXPECT_THAT(converted(R"({"a":18446744073709551616})"), HasSubstr(too_large));
  EXPECT_THAT(converted(R"([1,2,-9223372036854775809])"), HasSubstr(too_large));
  EXPECT_EQ(converted(R"(["\\\"18446744073709551616",1e20])").substr(0, 2), "92") << "as text";
  EXPECT_THAT(converted("\"\xff\""), HasSubstr("invalid JSON at byte 1"));
  EXPECT_THAT(converted(R"("\ud83d")"), HasSubstr("invalid JSON"));
  EXPECT_THAT(converted(std::string(33, '[') + std::string(33, ']')), HasSubstr("32 levels"));
  EXPECT_THAT(converted(std::string(1'000'000, '[')), HasSubstr("invalid JSON at byte 1000000"));
}

}  // namespace
}  // namespace outrider::sidecar
