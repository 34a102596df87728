#include "sidecar/cli/emit_line.hpp"

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

TEST(EmitLine, HasATopicAndDataAndWhateverAnEventCanCarry) {
  const auto plain = read_emit_line(R"({"topic":"orders.paid","data":{"a":1}})");
  ASSERT_TRUE(plain.ok()) << plain.error().message;
  EXPECT_EQ(plain.value().topic, "orders.paid");
  EXPECT_EQ(hex(plain.value().data), "81a16101");
  EXPECT_EQ(plain.value().time_ns, 0U);
  EXPECT_EQ(plain.value().priority, 1U);

  const auto full = read_emit_line(
      R"({"data":null,"time":1769860800123456789,"id":"x1","key":"k","trace":"00-aa",)"
      R"("at":"2000-01-01T00:00:01Z","ttl":5000,"pri":2,"topic":"t"})");
  ASSERT_TRUE(full.ok()) << full.error().message;
  EXPECT_EQ(hex(full.value().data), "c0");
  EXPECT_EQ(full.value().time_ns, 1769860800123456789U);
  EXPECT_EQ(full.value().id, "x1");
  EXPECT_EQ(full.value().key, "k");
  EXPECT_EQ(full.value().trace, "00-aa");
  EXPECT_EQ(full.value().at_ns, 946'684'801'000'000'000U);
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
  EXPECT_EQ(time_ns("2262-04-11T23:47:16.854775807Z"), 9223372036854775807U);
  for (const char* bad :
       {"", "now", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z",
        "1969-12-31T23:59:59Z", "2262-04-11T23:47:16.854775808Z", "2553-12-31T23:59:59Z",
        "2554-01-01T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:00.1234567890Z",
        "2026-01-31T12:00:00+0100", "2026-1-31T12:00:00Z", "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00+01:60", "1970-01-01T00:00:00+00:01", "2026-01-31T12:00:+0Z",
        "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00ZZ"}) {
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
  EXPECT_THAT(message("{\"topic\":\"t\",\"data\":1}" + std::string(1, '\0') + "{}"),
              HasSubstr("invalid JSON at byte 22: a zero byte"));
}

std::string with_member(const std::string& member) {
  const auto event = read_emit_line(R"({"topic":"t","data":1,)" + member + "}");
  return event.ok() ? std::string("nothing") : event.error().message;
}

TEST(EmitLine, AFieldThatIsRefusedIsNamedWithItsRule) {
  const std::string ttl_rule = "\"ttl\": must be a whole number from 0 to 9223372036854775807";
  EXPECT_THAT(with_member(R"("ttl":-1)"), HasSubstr(ttl_rule));
  EXPECT_THAT(with_member(R"("ttl":9223372036854775808)"), HasSubstr(ttl_rule));
  EXPECT_EQ(with_member(R"("ttl":9223372036854775807)"), "nothing") << "the maximum it names";
  for (const std::string name : {"key", "trace"}) {
    const auto text = [&](int bytes) {
      return "\"" + name + "\":\"" + std::string(bytes, 'k') + "\"";
    };
    EXPECT_EQ(with_member(text(255)), "nothing");
    EXPECT_EQ(with_member(text(256)), "\"" + name + "\": has 256 bytes; at most 255 are allowed");
  }
  const std::string id_rule = "\"id\": must be 1 to 64 visible ASCII characters";
  EXPECT_EQ(with_member("\"id\":\"" + std::string(64, 'x') + "\""), "nothing");
  for (const std::string& id :
       {std::string("a\\u0007"), std::string("a b"), std::string("ä"), std::string(65, 'x')}) {
    EXPECT_THAT(with_member("\"id\":\"" + id + "\""), HasSubstr(id_rule)) << id;
  }
  for (const std::string name : {"time", "at"}) {
    EXPECT_THAT(with_member("\"" + name + "\":9223372036854775808"),
                HasSubstr("\"" + name + "\": is after 2262-04-11"));
  }
}

}  // namespace
}  // namespace outrider::sidecar
