#include "sidecar/base/field_path.hpp"

#include <gtest/gtest.h>

#include "support/records.hpp"

namespace outrider::sidecar {
namespace {

using test::packed;

std::vector<std::string> names(std::string_view text) {
  const auto path = parse_field_path(text);
  if (!path.ok()) return {"error: " + path.error().message};
  std::vector<std::string> names;
  for (const PathKey& key : path.value().keys) names.push_back(key.name);
  return names;
}

TEST(FieldPath, KeysStandBehindData) {
  EXPECT_EQ(names("data"), std::vector<std::string>{});
  EXPECT_EQ(names("data.user.id"), (std::vector<std::string>{"user", "id"}));
  EXPECT_EQ(names(" data.card.* "), (std::vector<std::string>{"card", "*"}));
  EXPECT_EQ(names("data.ключ.0"), (std::vector<std::string>{"ключ", "0"}));
}

TEST(FieldPath, WhatIsNoPathIsQuoted) {
  const std::string too_deep = "data" + std::string(2 * (path_keys_max + 1), '.');
  for (const std::string& text :
       {std::string("user.id"), std::string("database"), std::string(), std::string("data."),
        std::string("data..x"), too_deep, std::string("data.a\nb")}) {
    EXPECT_FALSE(check_field_path(text).ok()) << text;
  }
  EXPECT_EQ(check_field_path("user.id").error().message,
            "'user.id' does not begin with data; a field is written as data.KEY, data.KEY.KEY, "
            "data.KEY.*");
}

TEST(FieldPath, AsDeepAsDataAndNoDeeper) {
  std::string text = "data";
  for (std::size_t i = 0; i < path_keys_max; ++i) text += ".k";
  EXPECT_TRUE(check_field_path(text).ok());
  EXPECT_FALSE(check_field_path(text + ".k").ok());
}

TEST(FieldPath, RulesThatWouldHaveNoMeaning) {
  EXPECT_TRUE(check_drop("data.a.*").ok());
  EXPECT_FALSE(check_drop("data").ok());
  EXPECT_TRUE(check_rename("data.*.uid: user_id").ok());
  for (const char* text : {"data: x", "data.a", "data.a:", "data.*: x", "data.a: b.c", "data.a: *",
                           "data.a: data.b", "a: b"}) {
    EXPECT_FALSE(check_rename(text).ok()) << text;
  }
  EXPECT_TRUE(check_static_field("data.env: production").ok());
  for (const char* text : {"data: x", "data.env", "data.env: ", "data.*: x", "data.*.env: x"}) {
    EXPECT_FALSE(check_static_field(text).ok()) << text;
  }
}

TEST(FieldPath, AStaticValueMayHaveColonsAndBlanks) {
  const auto field = parse_static_field("data.site.url : https://x.example/a b ");
  ASSERT_TRUE(field.ok());
  EXPECT_EQ(field.value().path.keys.size(), 2U);
  EXPECT_EQ(field.value().value, "https://x.example/a b");
}

std::string found(const std::string& data, std::string_view path) {
  return std::string(
      proto::as_text(find_field(proto::as_bytes(data), parse_field_path(path).value())));
}

TEST(FindField, InMapsAndArraysAtAnyDepth) {
  const std::string data = packed([](auto& packer) {
    packer.pack_map(3);
    packer.pack("user");
    packer.pack_map(1);
    packer.pack("id");
    packer.pack(7);
    packer.pack("items");
    packer.pack(std::vector<int>{1, 2});
    packer.pack("0");
    packer.pack(9);
  });
  EXPECT_EQ(found(data, "data"), data);
  EXPECT_EQ(found(data, "data.user.id"), "\x07");
  EXPECT_EQ(found(data, "data.user"), "\x81\xa2id\x07");
  EXPECT_EQ(found(data, "data.items.1"), "\x02");
  EXPECT_EQ(found(data, "data.items.2"), "");
  EXPECT_EQ(found(data, "data.items.01"), "");
  EXPECT_EQ(found(data, "data.0"), "\x09");
  EXPECT_EQ(found(data, "data.user.id.x"), "");
  EXPECT_EQ(found(data, "data.none"), "");
}

TEST(FindField, KeysThatAreNoText) {
  const std::string data = test::bytes_of(
      {0x84, 0x05, 0x01, 0xd0, 0xfb, 0x02, 0xc4, 0x01, 'b', 0x03, 0x91, 0xa1, 'x', 0x04});
  EXPECT_EQ(found(data, "data.5"), "\x01");
  EXPECT_EQ(found(data, "data.-5"), "\x02");
  EXPECT_EQ(found(data, "data.b"), "\x03");
  EXPECT_EQ(found(data, "data.x"), "");
}

TEST(FindField, OfEqualKeysTheLast) {
  EXPECT_EQ(found("\x82\xa1k\x01\xa1k\x02", "data.k"), "\x02");
}

TEST(FindField, BrokenDataHasNoFields) {
  const std::string data = "\x82\xa1k\x01\xa1k\xa5";
  for (std::size_t size = 0; size <= data.size(); ++size) {
    EXPECT_EQ(found(data.substr(0, size), "data.k"), "") << size;
  }
}

}  // namespace
}  // namespace outrider::sidecar
