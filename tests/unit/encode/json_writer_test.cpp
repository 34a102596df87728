#include "sidecar/encode/json_writer.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "proto/utf8.hpp"
#include "sidecar/base/random.hpp"

namespace outrider::sidecar {
namespace {

std::string string_of(std::string_view text) {
  JsonWriter out;
  out.string(text);
  return std::string(out.text());
}

std::string real_of(double value) {
  JsonWriter out;
  out.real(value);
  return std::string(out.text());
}

std::string real_of(float value) {
  JsonWriter out;
  out.real(value);
  return std::string(out.text());
}

TEST(JsonWriter, PlainStringsOfEveryLengthStayAsTheyAre) {
  std::string text;
  for (int size = 0; size < 100; ++size) {
    EXPECT_EQ(string_of(text), '"' + text + '"');
    text.push_back(static_cast<char>('a' + size % 26));
  }
}

TEST(JsonWriter, ASpecialByteIsFoundWhereverItStands) {
  for (std::size_t size = 1; size < 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      const auto expect = [&](char special, const std::string& written) {
        text[at] = special;
        EXPECT_EQ(string_of(text),
                  '"' + std::string(at, 'x') + written + std::string(size - at - 1, 'x') + '"');
      };
      expect('"', "\\\"");
      expect('\\', "\\\\");
      expect('\n', "\\n");
      expect('\0', "\\u0000");
      expect('\x1f', "\\u001f");
      expect('\x7f', "\x7f");
      expect(' ', " ");
      expect('\xff', "\xef\xbf\xbd");
    }
  }
}

TEST(JsonWriter, ControlBytesUseTheShortEscapes) {
  EXPECT_EQ(string_of("\b\f\n\r\t\v"), R"("\b\f\n\r\t\u000b")");
}

TEST(JsonWriter, CharactersBeyondAsciiAreKept) {
  EXPECT_EQ(string_of("grüße, 東京 🚀"), "\"grüße, 東京 🚀\"");
}

TEST(JsonWriter, EachIllFormedPartBecomesOneReplacementCharacter) {
  EXPECT_EQ(string_of("a\x80z"), "\"a\xef\xbf\xbdz\"");
  EXPECT_EQ(string_of("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // surrogate
  EXPECT_EQ(string_of("\xf0\x9f\x9a"), "\"\xef\xbf\xbd\"");                          // cut short
}

TEST(JsonWriter, RandomBytesBecomeValidUtf8WithoutBareControlBytes) {
  Random random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::uint64_t left = random.below(50); left > 0; --left) {
      text.push_back(static_cast<char>(random.chance(0.5) ? random.below(256) : 'a'));
    }
    const std::string written = string_of(text);
    ASSERT_TRUE(proto::is_valid_utf8(written));
    for (const char c : written) ASSERT_GE(static_cast<unsigned char>(c), 0x20);
  }
}

TEST(JsonWriter, IntegersReachTheir64BitEnds) {
  JsonWriter out;
  out.unsigned_integer(UINT64_MAX);
  out.put(' ');
  out.signed_integer(INT64_MIN);
  EXPECT_EQ(out.text(), "18446744073709551615 -9223372036854775808");
}

TEST(JsonWriter, RealsAlwaysLookLikeReals) {
  EXPECT_EQ(real_of(49.99), "49.99");
  EXPECT_EQ(real_of(3.0), "3.0");
  EXPECT_EQ(real_of(-0.0), "-0.0");
  EXPECT_EQ(real_of(0.0), "0.0");
  EXPECT_EQ(real_of(-0.5), "-0.5");
  EXPECT_EQ(real_of(100.0), "100.0");
  EXPECT_EQ(real_of(0.000001), "0.000001");
  EXPECT_EQ(real_of(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(real_of(999999999.999999), "999999999.999999");
  EXPECT_EQ(real_of(1e9), "1e+09");
  EXPECT_EQ(real_of(0.0000001), "1e-07");
  EXPECT_EQ(real_of(1e300), "1e+300");
  EXPECT_EQ(real_of(5e-324), "5e-324");
  EXPECT_EQ(real_of(0.1F), "0.1");
  EXPECT_EQ(real_of(3.0F), "3.0");
  EXPECT_EQ(real_of(1234567890123.0), "1234567890123.0");
  EXPECT_EQ(real_of(1e10F), "1e+10");
}

TEST(JsonWriter, WhatIsNoNumberBecomesNull) {
  EXPECT_EQ(real_of(std::nan("")), "null");
  EXPECT_EQ(real_of(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(real_of(-std::numeric_limits<float>::infinity()), "null");
}

TEST(JsonWriter, EveryRealReadsBackAsTheSameNumber) {
  Random random(11);
  for (int round = 0; round < 100'000; ++round) {
    const bool is_amount = random.chance(0.5);
    const double value = is_amount ? static_cast<double>(random.below(10'000'000)) / 100
                                   : std::bit_cast<double>(random.next());
    if (!std::isfinite(value)) continue;
    const std::string text = real_of(value);
    double read = 0;
    std::from_chars(text.data(), text.data() + text.size(), read);
    ASSERT_EQ(std::bit_cast<std::uint64_t>(read), std::bit_cast<std::uint64_t>(value)) << text;
  }
}

TEST(JsonWriter, Base64IsPadded) {
  const auto base64_of = [](std::string_view text) {
    JsonWriter out;
    out.base64(proto::as_bytes(text));
    return std::string(out.text());
  };
  EXPECT_EQ(base64_of(""), "");
  EXPECT_EQ(base64_of("f"), "Zg==");
  EXPECT_EQ(base64_of("fo"), "Zm8=");
  EXPECT_EQ(base64_of("foo"), "Zm9v");
  EXPECT_EQ(base64_of("\xff\xfe\xfd\xfc"), "//79/A==");
}

TEST(JsonWriter, AVeryLongTextIsHeldAndItsMemoryGivenBack) {
  JsonWriter out;
  const std::string text(1'000'000, '\x01');
  out.string(text);
  EXPECT_EQ(out.size(), 6 * text.size() + 2);
  out.clear();
  EXPECT_EQ(out.size(), 0U);
  out.string("again");
  EXPECT_EQ(out.text(), "\"again\"");
}

}  // namespace
}  // namespace outrider::sidecar
