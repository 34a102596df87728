#include "proto/msgpack_reader.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace outrider::proto {
namespace {

using Bytes = std::vector<std::uint8_t>;

Token token_of(const Bytes& bytes) {
  MsgpackReader reader(bytes);
  Token token;
  EXPECT_EQ(reader.next(token), ReadStatus::ok);
  return token;
}

ReadStatus skip(const Bytes& bytes) {
  return MsgpackReader(bytes).skip_value();
}

Bytes nested_arrays(std::size_t levels) {
  Bytes bytes(levels, 0x91);
  bytes.back() = 0x90;
  return bytes;
}

TEST(MsgpackReader, IntegersOfEveryWidth) {
  const auto expect_uint = [](const Bytes& bytes, std::uint64_t value) {
    const Token token = token_of(bytes);
    EXPECT_EQ(token.type, TokenType::uint);
    EXPECT_EQ(token.uint, value);
  };
  const auto expect_sint = [](const Bytes& bytes, std::int64_t value) {
    const Token token = token_of(bytes);
    EXPECT_EQ(token.type, TokenType::sint);
    EXPECT_EQ(token.sint, value);
  };
  expect_uint({0x7f}, 127);
  expect_uint({0xcc, 0xff}, 255);
  expect_uint({0xcd, 0x12, 0x34}, 0x1234);
  expect_uint({0xce, 0x12, 0x34, 0x56, 0x78}, 0x12345678);
  expect_uint({0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, UINT64_MAX);
  expect_sint({0xe0}, -32);
  expect_sint({0xd0, 0x80}, INT8_MIN);
  expect_sint({0xd1, 0x80, 0x00}, INT16_MIN);
  expect_sint({0xd2, 0x80, 0x00, 0x00, 0x00}, INT32_MIN);
  expect_sint({0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0}, INT64_MIN);
  expect_uint({0xd3, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, INT64_MAX);
  expect_uint({0xd0, 0x05}, 5);
}

TEST(MsgpackReader, RealsSayHowTheyWereSent) {
  const Token narrow = token_of({0xca, 0x3f, 0xc0, 0x00, 0x00});
  EXPECT_EQ(narrow.type, TokenType::real);
  EXPECT_TRUE(narrow.is_float32);
  EXPECT_EQ(narrow.real, 1.5);
  const Token wide = token_of({0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0});
  EXPECT_FALSE(wide.is_float32);
  EXPECT_EQ(wide.real, 1.5);
}

TEST(MsgpackReader, BytesPointIntoTheBuffer) {
  for (const Bytes& bytes : {Bytes{0xa2, 'h', 'i'}, Bytes{0xd9, 2, 'h', 'i'},
                             Bytes{0xda, 0, 2, 'h', 'i'}, Bytes{0xdb, 0, 0, 0, 2, 'h', 'i'}}) {
    const Token token = token_of(bytes);
    EXPECT_EQ(token.type, TokenType::str);
    EXPECT_EQ(token.bytes.data() + 2, bytes.data() + bytes.size());
  }
  for (const Bytes& bytes :
       {Bytes{0xc4, 2, 'h', 'i'}, Bytes{0xc5, 0, 2, 'h', 'i'}, Bytes{0xc6, 0, 0, 0, 2, 'h', 'i'}}) {
    const Token token = token_of(bytes);
    EXPECT_EQ(token.type, TokenType::bin);
    EXPECT_EQ(as_text(token.bytes), "hi");
  }
  for (const Bytes& bytes :
       {Bytes{0xd5, 0xfb, 'h', 'i'}, Bytes{0xc7, 2, 0xfb, 'h', 'i'},
        Bytes{0xc8, 0, 2, 0xfb, 'h', 'i'}, Bytes{0xc9, 0, 0, 0, 2, 0xfb, 'h', 'i'}}) {
    const Token token = token_of(bytes);
    EXPECT_EQ(token.type, TokenType::ext);
    EXPECT_EQ(token.ext_type, -5);
    EXPECT_EQ(as_text(token.bytes), "hi");
  }
}

TEST(MsgpackReader, ContainersGiveTheirCount) {
  for (const Bytes& bytes : {Bytes{0x93}, Bytes{0xdc, 0, 3}, Bytes{0xdd, 0, 0, 0, 3}}) {
    EXPECT_EQ(token_of(bytes).type, TokenType::array);
    EXPECT_EQ(token_of(bytes).count, 3U);
  }
  for (const Bytes& bytes : {Bytes{0x83}, Bytes{0xde, 0, 3}, Bytes{0xdf, 0, 0, 0, 3}}) {
    EXPECT_EQ(token_of(bytes).type, TokenType::map);
    EXPECT_EQ(token_of(bytes).count, 3U);
  }
}

TEST(MsgpackReader, TheEndIsToldFromACut) {
  const Bytes nothing;
  MsgpackReader reader(nothing);
  Token token;
  EXPECT_EQ(reader.next(token), ReadStatus::end);
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(skip(nothing), ReadStatus::truncated);
}

TEST(MsgpackReader, EveryLeadByteThatIsCutShortIsFound) {
  for (unsigned lead = 0; lead < 256; ++lead) {
    // On the heap in its exact size, so that the address sanitizer sees a read beyond it.
    const Bytes bytes = {static_cast<std::uint8_t>(lead)};
    MsgpackReader reader(bytes);
    Token token;
    const ReadStatus status = reader.next(token);
    const bool is_alone =
        lead < 0xa1 || lead == 0xc0 || lead == 0xc2 || lead == 0xc3 || lead >= 0xe0;
    const ReadStatus expected = lead == 0xc1 ? ReadStatus::invalid
                                : is_alone   ? ReadStatus::ok
                                             : ReadStatus::truncated;
    EXPECT_EQ(status, expected) << lead;
    if (!is_alone) {
      EXPECT_EQ(skip(bytes), expected) << lead;
    }
  }
}

TEST(MsgpackReader, SkipPassesOverOneWholeValue) {
  const Bytes bytes = {0x82, 0xa1, 'a',  0x92, 0x01, 0xc4, 0x01, 0xff, 0x05, 0xde,
                       0,    1,    0xc0, 0xc7, 0x02, 0x01, 1,    2,    0xc3};
  MsgpackReader reader(bytes);
  ASSERT_EQ(reader.skip_value(), ReadStatus::ok);
  EXPECT_EQ(reader.offset(), bytes.size() - 1);
  ASSERT_EQ(reader.skip_value(), ReadStatus::ok);
  EXPECT_TRUE(reader.at_end());
}

TEST(MsgpackReader, DepthIsLimited) {
  EXPECT_EQ(skip(nested_arrays(depth_levels_max)), ReadStatus::ok);
  EXPECT_EQ(skip(nested_arrays(depth_levels_max + 1)), ReadStatus::too_deep);
  // Containers side by side are not deep.
  Bytes wide(1 + 15 * 2, 0x90);
  wide[0] = 0x9f;
  for (std::size_t i = 1; i < wide.size(); i += 2) wide[i] = 0x91;
  EXPECT_EQ(skip(wide), ReadStatus::ok);
}

TEST(MsgpackReader, AFalseCountIsFoundAtOnce) {
  EXPECT_EQ(skip({0xdd, 0xff, 0xff, 0xff, 0xff, 0x01}), ReadStatus::truncated);
  EXPECT_EQ(skip({0xdf, 0xff, 0xff, 0xff, 0xff, 0x01}), ReadStatus::truncated);
  EXPECT_EQ(skip({0xdb, 0xff, 0xff, 0xff, 0xff, 0x01}), ReadStatus::truncated);
}

TEST(MsgpackReader, TimestampsAsNanoseconds) {
  std::uint64_t time_ns = 0;
  EXPECT_TRUE(timestamp_ns(token_of({0xd6, 0xff, 0, 0, 0, 7}), time_ns));
  EXPECT_EQ(time_ns, 7'000'000'000U);
  EXPECT_TRUE(timestamp_ns(token_of({0xd7, 0xff, 0, 0, 0, 20, 0, 0, 0, 7}), time_ns));
  EXPECT_EQ(time_ns, 7'000'000'005U);
  EXPECT_TRUE(
      timestamp_ns(token_of({0xc7, 12, 0xff, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 7}), time_ns));
  EXPECT_EQ(time_ns, 7'000'000'005U);
  EXPECT_FALSE(timestamp_ns(
      token_of({0xc7, 12, 0xff, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
      time_ns));
  EXPECT_FALSE(timestamp_ns(token_of({0xd6, 0x01, 0, 0, 0, 7}), time_ns));
  EXPECT_FALSE(timestamp_ns(token_of({0x07}), time_ns));
}

TEST(MsgpackReader, TimestampsBefore1970HaveNegativeSeconds) {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  EXPECT_TRUE(timestamp_parts(
      token_of({0xc7, 12, 0xff, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
      seconds, nanoseconds));
  EXPECT_EQ(seconds, -1);
  EXPECT_EQ(nanoseconds, 5U);
}

}  // namespace
}  // namespace outrider::proto
