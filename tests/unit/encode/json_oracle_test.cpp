// Random values through msgpack-c, our transcoder and RapidJSON: what comes out is what went in.
#include <cstdint>
#include <random>
#include <string>

#include <gtest/gtest.h>
#include <msgpack.hpp>
#include <rapidjson/document.h>

#include "sidecar/encode/json_value.hpp"

namespace outrider::sidecar {
namespace {

using Packer = msgpack::packer<msgpack::sbuffer>;

class JsonOracle : public testing::Test {
 protected:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  std::string random_text() {
    constexpr const char* parts[] = {"plain", "\"", "\\", "\n", "ü", "東京", "\x01", "🚀", " ", "/"};
    std::string text;
    for (std::uint64_t left = below(8); left > 0; --left) text += parts[below(std::size(parts))];
    return text;
  }

  void pack_random(Packer& packer, int levels_left) {
    switch (below(levels_left > 0 ? 8 : 6)) {
      case 0:
        packer.pack_nil();
        break;
      case 1:
        packer.pack(below(2) == 0);
        break;
      case 2:
        packer.pack(std::uint64_t{random_() >> below(64)});
        break;
      case 3:
        packer.pack(static_cast<std::int64_t>(random_()) >> below(63));
        break;
      case 4:
        packer.pack(static_cast<double>(static_cast<std::int64_t>(random_())) / 1e9);
        break;
      case 5:
        packer.pack(random_text());
        break;
      case 6: {
        const auto count = static_cast<std::uint32_t>(below(20));
        packer.pack_array(count);
        for (std::uint32_t i = 0; i < count; ++i) pack_random(packer, levels_left - 1);
        break;
      }
      default: {
        const auto count = static_cast<std::uint32_t>(below(20));
        packer.pack_map(count);
        for (std::uint32_t i = 0; i < count; ++i) {
          packer.pack(random_text());
          pack_random(packer, levels_left - 1);
        }
      }
    }
  }

  std::mt19937_64 random_{20'260'131};
};

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

TEST_F(JsonOracle, WhatComesOutIsWhatWentIn) {
  TimeText time_text;
  JsonWriter out;
  for (int round = 0; round < 2000 && !HasFailure(); ++round) {
    msgpack::sbuffer buffer;
    Packer packer(buffer);
    pack_random(packer, 4);
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
