// Random values through msgpack-c, our transcoder and RapidJSON: what comes out is what went in.
#include <cstdint>
#include <string>

#include <gtest/gtest.h>
#include <msgpack.hpp>
#include <rapidjson/document.h>

#include "sidecar/encode/json_value.hpp"
#include "support/random_values.hpp"

namespace outrider::sidecar {
namespace {

void expect_same(const msgpack::object& packed, const rapidjson::Value& json) {
  switch (packed.type) {
    case msgpack::type::NIL:
      EXPECT_TRUE(json.IsNull());
      break;
    case msgpack::type::BOOLEAN:
      EXPECT_EQ(json.GetBool(), packed.via.boolean);
      break;
    case msgpack::type::POSITIVE_INTEGER:
      ASSERT_TRUE(json.IsUint64());
      EXPECT_EQ(json.GetUint64(), packed.via.u64);
      break;
    case msgpack::type::NEGATIVE_INTEGER:
      ASSERT_TRUE(json.IsInt64());
      EXPECT_EQ(json.GetInt64(), packed.via.i64);
      break;
    case msgpack::type::FLOAT64:
      ASSERT_TRUE(json.IsDouble());
      EXPECT_EQ(json.GetDouble(), packed.via.f64);
      break;
    case msgpack::type::STR:
      EXPECT_EQ(std::string(json.GetString(), json.GetStringLength()), packed.as<std::string>());
      break;
    case msgpack::type::ARRAY:
      ASSERT_EQ(json.Size(), packed.via.array.size);
      for (std::uint32_t i = 0; i < json.Size(); ++i) expect_same(packed.via.array.ptr[i], json[i]);
      break;
    default: {
      ASSERT_EQ(json.MemberCount(), packed.via.map.size);
      const msgpack::object_kv* pair = packed.via.map.ptr;
      for (const auto& member : json.GetObject()) {
        expect_same(pair->key, member.name);
        expect_same(pair->val, member.value);
        ++pair;
      }
    }
  }
}

TEST(JsonOracle, WhatComesOutIsWhatWentIn) {
  test::RandomValues random(20'260'131);
  TimeText time_text;
  JsonWriter out;
  for (int round = 0; round < 2000 && !testing::Test::HasFailure(); ++round) {
    msgpack::sbuffer buffer;
    test::RandomValues::Packer packer(buffer);
    random.pack(packer, 4, [&] { return random.text(); });
    out.clear();
    write_json_value(proto::as_bytes({buffer.data(), buffer.size()}), time_text, out);
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseFullPrecisionFlag>(
        out.text().data(), out.size());
    ASSERT_FALSE(document.HasParseError()) << out.text();
    expect_same(msgpack::unpack(buffer.data(), buffer.size()).get(), document);
  }
}

}  // namespace
}  // namespace outrider::sidecar
