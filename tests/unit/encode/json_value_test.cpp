#include "sidecar/encode/json_value.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/records.hpp"

namespace outrider::sidecar {
namespace {

using test::bytes_of;
using test::packed;

std::string json_of(std::string_view value) {
  TimeText time_text;
  JsonWriter out;
  write_json_value(proto::as_bytes(value), time_text, out);
  return std::string(out.text());
}

std::string nested_arrays(int levels) {
  return std::string(static_cast<std::size_t>(levels - 1), '\x91') + '\x90';
}

TEST(JsonValue, PlainValues) {
  EXPECT_EQ(json_of(bytes_of({0xc0})), "null");
  EXPECT_EQ(json_of(bytes_of({0xc2})), "false");
  EXPECT_EQ(json_of(bytes_of({0xc3})), "true");
  EXPECT_EQ(json_of(bytes_of({0xa0})), "\"\"");
  EXPECT_EQ(json_of(bytes_of({0x80})), "{}");
  EXPECT_EQ(json_of(bytes_of({0x90})), "[]");
  EXPECT_EQ(json_of(bytes_of({0x93, 0x01, 0xc0, 0x92, 0x02, 0x03})), "[1,null,[2,3]]");
  EXPECT_EQ(json_of(bytes_of({0x82, 0xa1, 'a', 0x01, 0xa1, 'b', 0x81, 0xa1, 'c', 0xc3})),
            R"({"a":1,"b":{"c":true}})");
}

TEST(JsonValue, IntegersOfEveryWidth) {
  EXPECT_EQ(json_of(bytes_of({0xcc, 0xff})), "255");
  EXPECT_EQ(json_of(bytes_of({0xcd, 0xff, 0xff})), "65535");
  EXPECT_EQ(json_of(bytes_of({0xce, 0xff, 0xff, 0xff, 0xff})), "4294967295");
  EXPECT_EQ(json_of(packed([](auto& packer) { packer.pack(UINT64_MAX); })), "18446744073709551615");
  EXPECT_EQ(json_of(packed([](auto& packer) { packer.pack(INT64_MIN); })), "-9223372036854775808");
  EXPECT_EQ(json_of(bytes_of({0xe0})), "-32");
  EXPECT_EQ(json_of(bytes_of({0xd0, 0x80})), "-128");
  EXPECT_EQ(json_of(bytes_of({0xd1, 0x80, 0x00})), "-32768");
  EXPECT_EQ(json_of(bytes_of({0xd2, 0x80, 0x00, 0x00, 0x00})), "-2147483648");
  EXPECT_EQ(json_of(bytes_of({0xd1, 0x00, 0x05})), "5");
}

TEST(JsonValue, WhatJsonDoesNotHave) {
  EXPECT_EQ(json_of(bytes_of({0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0})), "null");  // NaN
  EXPECT_EQ(json_of(bytes_of({0xca, 0xff, 0x80, 0, 0})), "null");              // -Infinity
  EXPECT_EQ(json_of(bytes_of({0xc4, 0x03, 'f', 'o', 'o'})), "\"Zm9v\"");
  EXPECT_EQ(json_of(bytes_of({0xd4, 0x05, 0xff})), R"({"$ext":5,"data":"/w=="})");
  EXPECT_EQ(json_of(bytes_of({0xc7, 0x00, 0x80})), R"({"$ext":-128,"data":""})");
}

TEST(JsonValue, TimestampsOfAllThreeForms) {
  EXPECT_EQ(json_of(bytes_of({0xd6, 0xff, 0, 0, 0, 1})), "\"1970-01-01T00:00:01.000000000Z\"");
  EXPECT_EQ(json_of(bytes_of({0xd7, 0xff, 0, 0, 0, 0x14, 0, 0, 0, 2})),
            "\"1970-01-01T00:00:02.000000005Z\"");
  EXPECT_EQ(json_of(bytes_of(
                {0xc7, 12, 0xff, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})),
            "\"1969-12-31T23:59:59.000000007Z\"");
}

TEST(JsonValue, WhatOnlyLooksLikeATimestampIsAnExt) {
  // 10^9 nanoseconds; a year beyond 9999; five bytes.
  EXPECT_EQ(json_of(bytes_of({0xd7, 0xff, 0xee, 0x6b, 0x28, 0, 0, 0, 0, 0})),
            R"({"$ext":-1,"data":"7msoAAAAAAA="})");
  EXPECT_EQ(json_of(bytes_of({0xc7, 12, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0})),
            R"({"$ext":-1,"data":"AAAAAH8AAAAAAAAA"})");
  EXPECT_EQ(json_of(bytes_of({0xc7, 5, 0xff, 0, 0, 0, 0, 0})), R"({"$ext":-1,"data":"AAAAAAA="})");
}

TEST(JsonValue, KeysThatAreNoText) {
  EXPECT_EQ(json_of(bytes_of({0x81, 0x05, 0x01})), R"({"5":1})");
  EXPECT_EQ(json_of(bytes_of({0x81, 0xff, 0x01})), R"({"-1":1})");
  EXPECT_EQ(json_of(bytes_of({0x81, 0xc0, 0x01})), R"({"null":1})");
  EXPECT_EQ(json_of(bytes_of({0x81, 0xc3, 0x01})), R"({"true":1})");
  EXPECT_EQ(json_of(bytes_of({0x81, 0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0x01})), R"({"1.5":1})");
  EXPECT_EQ(json_of(bytes_of({0x81, 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0, 0x01})), R"({"null":1})");
  EXPECT_EQ(json_of(bytes_of({0x81, 0xc4, 0x01, 'f', 0x01})), R"({"Zg==":1})");
  EXPECT_EQ(json_of(bytes_of({0x81, 0xd6, 0xff, 0, 0, 0, 0, 0x01})),
            R"({"1970-01-01T00:00:00.000000000Z":1})");
}

TEST(JsonValue, ContainersAndExtsAsKeysAreBase64OfTheirMsgpack) {
  EXPECT_EQ(json_of(bytes_of({0x81, 0x92, 0x01, 0x02, 0x01})), R"({"$msgpack:kgEC":1})");
  EXPECT_EQ(json_of(bytes_of({0x81, 0x81, 0xa1, 'a', 0x01, 0x02})), R"({"$msgpack:gaFhAQ==":2})");
  EXPECT_EQ(json_of(bytes_of({0x82, 0xd4, 0x05, 0xff, 0x01, 0x02, 0x03})),
            R"({"$msgpack:1AX/":1,"2":3})");
}

TEST(JsonValue, DuplicateKeysAreHandedOnInOrder) {
  EXPECT_EQ(json_of(bytes_of({0x82, 0xa1, 'a', 0x01, 0xa1, 'a', 0x02})), R"({"a":1,"a":2})");
}

TEST(JsonValue, KeysAreRepairedAndEscapedLikeStrings) {
  EXPECT_EQ(json_of(bytes_of({0x82, 0xa1, 0xff, 0x01, 0xa2, '"', '\n', 0x02})),
            "{\"\xef\xbf\xbd\":1,\"\\\"\\n\":2}");
}

TEST(JsonValue, DepthUpToTheLimit) {
  EXPECT_EQ(json_of(nested_arrays(32)), std::string(32, '[') + std::string(32, ']'));
  EXPECT_EQ(json_of(nested_arrays(33)), "null");
}

TEST(JsonValue, WhatIsCutShortBecomesNull) {
  const std::string whole = bytes_of({0x82, 0xa1, 'a', 0x93, 0x01, 0xc4, 0x02, 1, 2, 0xcd, 1, 0,
                                      0x81, 0x01, 0x02, 0xd4, 0x05, 0xff});
  EXPECT_NE(json_of(whole), "null");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A copy of its own, so that the address sanitizer sees a read beyond it.
    const std::string cut(whole.substr(0, size));
    EXPECT_EQ(json_of(cut), "null") << size;
  }
  EXPECT_EQ(json_of(bytes_of({0x91, 0xc1})), "null");
}

}  // namespace
}  // namespace outrider::sidecar
