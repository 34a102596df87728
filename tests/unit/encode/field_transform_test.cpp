#include "sidecar/encode/field_transform.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <rapidjson/writer.h>

#include "sidecar/encode/json_value.hpp"
#include "support/random_values.hpp"
#include "support/records.hpp"

namespace outrider::sidecar {
namespace {

using Texts = std::vector<std::string_view>;

struct RuleTexts {
  Texts redact{};
  Texts drop{};
  Texts rename{};
  Texts fixed{};
};

FieldRules rules_of(const RuleTexts& texts) {
  FieldRules rules;
  for (const auto text : texts.redact) rules.redact.push_back(parse_field_path(text).value());
  for (const auto text : texts.drop) rules.drop.push_back(parse_drop(text).value());
  for (const auto text : texts.rename) rules.rename.push_back(parse_rename(text).value());
  for (const auto text : texts.fixed) rules.fixed.push_back(parse_static_field(text).value());
  return rules;
}

void pack_json(const rapidjson::Value& json, test::RandomValues::Packer& packer) {
  if (json.IsObject()) {
    packer.pack_map(json.MemberCount());
    for (const auto& member : json.GetObject()) {
      pack_json(member.name, packer);
      pack_json(member.value, packer);
    }
  } else if (json.IsArray()) {
    packer.pack_array(json.Size());
    for (const auto& value : json.GetArray()) pack_json(value, packer);
  } else if (json.IsString()) {
    packer.pack(std::string(json.GetString(), json.GetStringLength()));
  } else if (json.IsInt()) {
    packer.pack(json.GetInt());
  } else if (json.IsBool()) {
    packer.pack(json.GetBool());
  } else {
    packer.pack_nil();
  }
}

std::string packed_json(const char* text) {
  rapidjson::Document document;
  document.Parse(text);
  EXPECT_FALSE(document.HasParseError()) << text;
  return test::packed([&](auto& packer) { pack_json(document, packer); });
}

std::string json_of(const std::string& data) {
  TimeText time_text;
  JsonWriter out;
  write_json_value(proto::as_bytes(data), time_text, out);
  return std::string(out.text());
}

std::string transformed(const RuleTexts& rules, const std::string& data) {
  std::string out = "what was there before";
  FieldTransform(rules_of(rules)).apply(proto::as_bytes(data), out);
  return out;
}

/// The data, given as JSON, with the rules applied, as JSON.
std::string apply(const RuleTexts& rules, const char* json) {
  return json_of(transformed(rules, packed_json(json)));
}

TEST(FieldTransform, RedactsWhateverTheValueIs) {
  EXPECT_EQ(apply({.redact = {"data.a", "data.c.d"}}, R"({"a":1,"b":2,"c":{"d":[1,{}],"e":3}})"),
            R"({"a":"[redacted]","b":2,"c":{"d":"[redacted]","e":3}})");
  EXPECT_EQ(apply({.redact = {"data.a.*"}}, R"({"a":{"x":1,"y":{"z":2}},"b":{"x":1}})"),
            R"({"a":{"x":"[redacted]","y":"[redacted]"},"b":{"x":1}})");
  EXPECT_EQ(apply({.redact = {"data.*.pin"}}, R"({"a":[{"pin":1}],"b":{"pin":1},"pin":1})"),
            R"({"a":[{"pin":1}],"b":{"pin":"[redacted]"},"pin":1})");
  EXPECT_EQ(apply({.redact = {"data.a.*.pin"}}, R"({"a":[{"pin":1},{"x":2},3]})"),
            R"({"a":[{"pin":"[redacted]"},{"x":2},3]})");
}

TEST(FieldTransform, ANumberIsAnIndexOrAKey) {
  EXPECT_EQ(apply({.redact = {"data.a.1"}}, R"({"a":[1,2,3]})"), R"({"a":[1,"[redacted]",3]})");
  EXPECT_EQ(apply({.redact = {"data.a.1"}}, R"({"a":{"1":2}})"), R"({"a":{"1":"[redacted]"}})");
  EXPECT_EQ(json_of(transformed({.redact = {"data.1"}}, "\x82\x01\x05\xc4\x01\x31\x06")),
            R"({"1":"[redacted]","MQ==":"[redacted]"})");
}

TEST(FieldTransform, EveryRuleOfAsManyAsThereMayBe) {
  FieldRules rules;
  std::string json;
  std::string expected;
  for (std::size_t i = 0; i < field_rules_max; ++i) {
    const std::string name = "k" + std::to_string(i);
    rules.redact.push_back(parse_field_path("data." + name).value());
    json += (i == 0 ? "{\"" : ",\"") + name + "\":1";
    expected += (i == 0 ? "{\"" : ",\"") + name + "\":\"[redacted]\"";
  }
  std::string out;
  FieldTransform(rules).apply(proto::as_bytes(packed_json((json + "}").c_str())), out);
  EXPECT_EQ(json_of(out), expected + "}");
}

TEST(FieldTransform, DataThatHasNoFieldsStaysAsItIs) {
  const RuleTexts rules = {{"data.a"}, {"data.b"}, {"data.c: d"}, {"data.e: f"}};
  for (const char* json : {"1", "\"a\"", "null", "[]", "[1,[2]]", "true"}) {
    EXPECT_EQ(apply(rules, json), json);
  }
}

TEST(FieldTransform, RedactsDataAsAWhole) {
  for (const char* json : {"1", "\"a\"", "[1]", R"({"a":1})"}) {
    EXPECT_EQ(apply({.redact = {"data"}, .fixed = {"data.a: b"}}, json), R"("[redacted]")");
  }
}

TEST(FieldTransform, DropsFieldsAndElements) {
  EXPECT_EQ(apply({.drop = {"data.a", "data.c.0", "data.d.*"}},
                  R"({"a":{"x":1},"b":2,"c":[1,2],"d":{"e":1}})"),
            R"({"b":2,"c":[2],"d":{}})");
}

TEST(FieldTransform, RenamesInPlaceAndReplaces) {
  EXPECT_EQ(apply({.rename = {"data.uid: user_id"}}, R"({"uid":1,"b":2})"),
            R"({"user_id":1,"b":2})");
  EXPECT_EQ(apply({.rename = {"data.uid: user_id"}}, R"({"user_id":0,"uid":1,"b":2})"),
            R"({"user_id":1,"b":2})");
  EXPECT_EQ(apply({.rename = {"data.uid: user_id"}}, R"({"user_id":0})"), R"({"user_id":0})");
  EXPECT_EQ(apply({.rename = {"data.a: b", "data.b: a"}}, R"({"a":1,"b":2})"), R"({"b":1,"a":2})");
  EXPECT_EQ(apply({.rename = {"data.*.uid: id"}}, R"({"a":{"uid":1},"uid":2})"),
            R"({"a":{"id":1},"uid":2})");
  EXPECT_EQ(apply({.rename = {"data.a.0: x"}}, R"({"a":[1]})"), R"({"a":[1]})");
}

TEST(FieldTransform, ARenameOfWhatIsDroppedReplacesNothing) {
  EXPECT_EQ(apply({.drop = {"data.a"}, .rename = {"data.a: b"}}, R"({"a":1,"b":2})"), R"({"b":2})");
  EXPECT_EQ(apply({.drop = {"data.*.a"}, .rename = {"data.m.a: b"}}, R"({"m":{"a":1,"b":2}})"),
            R"({"m":{"b":2}})");
  EXPECT_EQ(apply({.drop = {"data.b"}, .rename = {"data.a: b"}}, R"({"a":1,"b":2,"c":3})"),
            R"({"c":3})")
      << "both are called b";
}

TEST(FieldTransform, OfSeveralThatGetOneNameTheLastRulesStays) {
  const Texts rename = {"data.a: x", "data.c: x"};
  EXPECT_EQ(apply({.rename = rename}, R"({"a":1,"c":2,"x":3})"), R"({"x":2})");
  EXPECT_EQ(apply({.rename = rename}, R"({"c":2,"a":1})"), R"({"x":2})");
  EXPECT_EQ(apply({.rename = rename}, R"({"x":3,"a":1})"), R"({"x":1})");
  EXPECT_EQ(apply({.drop = {"data.c"}, .rename = rename}, R"({"a":1,"c":2,"x":3})"), R"({"x":1})");
  EXPECT_EQ(apply({.rename = rename, .fixed = {"data.x: f"}}, R"({"a":1,"c":2,"x":3})"),
            R"({"x":"f"})");
  EXPECT_EQ(apply({.rename = {"data.a: x", "data.a: y"}}, R"({"a":1,"x":2,"y":3})"),
            R"({"y":1,"x":2})")
      << "a field has one name, that of the last rule, and takes no other's";
  EXPECT_EQ(apply({.rename = {"data.a: b", "data.b: a"}}, R"({"a":1,"b":2})"), R"({"b":1,"a":2})");
}

TEST(FieldTransform, OfSeveralFieldsOfOneRenameTheLastStays) {
  const FieldTransform transform(rules_of({.rename = {"data.1: x"}}));
  const auto apply_to = [&](std::string_view data) {
    std::string out;
    transform.apply(proto::as_bytes(data), out);
    return out;
  };
  EXPECT_EQ(apply_to("\x84\x01\x0a\xa1\x31\x0b\xc4\x01\x31\x0c\xa1z\x0d"), "\x82\xa1x\x0c\xa1z\x0d")
      << "the keys 1, \"1\" and the byte 1";
  EXPECT_EQ(apply_to("\x83\xa1\x31\x01\xa1z\x03\xa1\x31\x02"), "\x82\xa1z\x03\xa1x\x02")
      << "one key twice";
  EXPECT_EQ(apply_to("\x83\x01\x01\xa1x\x02\x01\x03"), "\x81\xa1x\x03");
}

TEST(FieldTransform, AddsFieldsToMapsThatAreThere) {
  EXPECT_EQ(apply({.fixed = {"data.env: production"}}, R"({"a":1})"),
            R"({"a":1,"env":"production"})");
  EXPECT_EQ(apply({.fixed = {"data.env: 1"}}, R"({"env":"x","a":1})"), R"({"a":1,"env":"1"})");
  EXPECT_EQ(apply({.fixed = {"data.s.env: e"}}, R"({"s":{},"a":1})"), R"({"s":{"env":"e"},"a":1})");
  EXPECT_EQ(apply({.fixed = {"data.s.env: e"}}, R"({"a":1})"), R"({"a":1})");
  EXPECT_EQ(apply({.fixed = {"data.s.env: e"}}, R"({"s":1})"), R"({"s":1})");
}

TEST(FieldTransform, OfSeveralThatARenameBringsTogetherTheLastIsAdded) {
  const RuleTexts both = {.rename = {"data.a: b"},
                          .fixed = {"data.a.x: S", "data.b.x: T", "data.a.z: Z"}};
  EXPECT_EQ(apply(both, R"({"a":{"y":1}})"), R"({"b":{"y":1,"x":"T","z":"Z"}})");
  EXPECT_EQ(apply(both, R"({"b":{"y":1}})"), R"({"b":{"y":1,"x":"T"}})");
}

TEST(FieldTransform, TheKindsInTheirOrder) {
  const char* json = R"({"a":{"b":1},"c":2})";
  EXPECT_EQ(apply({.redact = {"data.c"}, .drop = {"data.c"}}, json), R"({"a":{"b":1}})");
  EXPECT_EQ(apply({.redact = {"data.c"}, .fixed = {"data.c: d"}}, json),
            R"({"a":{"b":1},"c":"d"})");
  EXPECT_EQ(apply({.rename = {"data.c: d"}, .fixed = {"data.d: e"}}, json),
            R"({"a":{"b":1},"d":"e"})");
}

TEST(FieldTransform, ARenameTakesNothingOutOfARedactionsWay) {
  const char* json = R"({"card":{"number":"4"},"pw":"s"})";
  for (const char* path : {"data.card.number", "data.cc.number"}) {
    EXPECT_EQ(apply({.redact = {path}, .rename = {"data.card: cc"}}, json),
              R"({"cc":{"number":"[redacted]"},"pw":"s"})");
  }
  for (const char* path : {"data.pw", "data.password"}) {
    EXPECT_EQ(apply({.redact = {path}, .rename = {"data.pw: password"}}, json),
              R"({"card":{"number":"4"},"password":"[redacted]"})");
  }
}

TEST(FieldTransform, OfEqualKeysAllAreMeant) {
  EXPECT_EQ(json_of(transformed({.redact = {"data.k"}}, "\x82\xa1k\x01\xa1k\x02")),
            R"({"k":"[redacted]","k":"[redacted]"})");
}

TEST(FieldTransform, ContainersGrowPastTheirForms) {
  for (const std::uint32_t count : {15U, 65'535U}) {
    const std::string data = test::packed([&](auto& packer) {
      packer.pack_map(count);
      for (std::uint32_t i = 0; i < count; ++i) {
        packer.pack(i);
        packer.pack(i);
      }
    });
    const std::string out = transformed({.fixed = {"data.env: x"}}, data);
    const msgpack::object_handle handle = msgpack::unpack(out.data(), out.size());
    EXPECT_EQ(handle.get().via.map.size, count + 1);
  }
}

TEST(FieldTransform, BrokenDataShowsNothing) {
  const std::string data = packed_json(R"({"a":"secret","b":{"c":"secret"}})");
  for (std::size_t size = 0; size < data.size(); ++size) {
    EXPECT_EQ(transformed({.redact = {"data.b.d"}}, data.substr(0, size)), "\xc0") << size;
  }
}

/// Any bytes, with rules of every kind: what comes out is one well-formed value.
TEST(FieldTransform, RandomBytesMakeAValue) {
  using namespace std::string_view_literals;
  test::RandomValues random(3);
  std::string everything = "data";
  for (std::size_t i = 0; i < path_keys_max; ++i) everything += ".*";
  const RuleTexts texts = {
      {everything, "data.a"}, {"data.0", "data.*.b"}, {"data.b: c"}, {"data.c.d: e", "data.x: y"}};
  const FieldTransform transform(rules_of(texts));
  std::string out;
  for (int round = 0; round < 20'000; ++round) {
    std::string data;
    for (std::uint64_t left = random.below(40); left > 0; --left) {
      constexpr std::string_view hard =
          "\x81\x82\x91\x92\xa1\xde\xdc\xc4\xc7"
          "abc\x00\x01"sv;
      data.push_back(random.below(4) != 0 ? hard[random.below(hard.size())]
                                          : static_cast<char>(random.below(256)));
    }
    transform.apply(proto::as_bytes(data), out);
    proto::MsgpackReader reader(proto::as_bytes(out));
    ASSERT_EQ(reader.skip_value(), proto::ReadStatus::ok);
    ASSERT_TRUE(reader.at_end());
  }
}

/// Rules that name nothing which is there: the value stays the same, key by key.
TEST(FieldTransform, RandomValuesThatNoRuleNamesStayTheSame) {
  test::RandomValues random(1);
  const RuleTexts rules = {{"data.none.*", "data.*.none", "data.*.*.*.*.*.*"},
                           {"data.*.none"},
                           {"data.*.none: x", "data.none: y"},
                           {"data.none.x: y"}};
  const FieldTransform transform(rules_of(rules));
  std::string out;
  for (int round = 0; round < 2000; ++round) {
    msgpack::sbuffer buffer;
    test::RandomValues::Packer packer(buffer);
    random.pack(packer, 5, [&] { return random.text(); });
    transform.apply(proto::as_bytes({buffer.data(), buffer.size()}), out);
    // Written anew by msgpack-c, heads have their shortest form again.
    const auto after = msgpack::unpack(out.data(), out.size());
    ASSERT_EQ(test::packed([&](auto& repacker) { repacker.pack(after.get()); }),
              std::string(buffer.data(), buffer.size()));
  }
}

/// What is left of `value` at the end of a path, found by msgpack-c's tree.
void collect(const msgpack::object& value, const std::vector<std::string>& keys, std::size_t depth,
             std::vector<msgpack::object>& found) {
  if (depth == keys.size()) {
    found.push_back(value);
  } else if (value.type == msgpack::type::MAP) {
    for (const auto& [key, child] : value.via.map) {
      if (keys[depth] == "*" || key.as<std::string>() == keys[depth]) {
        collect(child, keys, depth + 1, found);
      }
    }
  } else if (value.type == msgpack::type::ARRAY) {
    for (std::uint32_t i = 0; i < value.via.array.size; ++i) {
      if (keys[depth] == "*" || std::to_string(i) == keys[depth]) {
        collect(value.via.array.ptr[i], keys, depth + 1, found);
      }
    }
  }
}

TEST(FieldTransform, RandomValuesLoseEveryOccurrence) {
  test::RandomValues random(2);
  const auto key = [&] { return std::string(1, "abc012"[random.below(6)]); };
  const std::string redacted(redacted_text);
  int hits = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> keys;
    std::string path = "data";
    for (std::uint64_t left = 1 + random.below(3); left > 0; --left) {
      keys.push_back(random.below(3) == 0 ? "*" : key());
      path += "." + keys.back();
    }
    msgpack::sbuffer buffer;
    test::RandomValues::Packer packer(buffer);
    random.pack(packer, 4, key);
    const std::string data(buffer.data(), buffer.size());
    const auto before = msgpack::unpack(data.data(), data.size());

    const std::string out = transformed({.redact = {path}}, data);
    const auto after = msgpack::unpack(out.data(), out.size());
    std::vector<msgpack::object> meant;
    std::vector<msgpack::object> left;
    collect(before.get(), keys, 0, meant);
    collect(after.get(), keys, 0, left);
    ASSERT_EQ(left.size(), meant.size()) << path;
    for (const msgpack::object& value : left) ASSERT_EQ(value.as<std::string>(), redacted) << path;
    hits += meant.empty() ? 0 : 1;

    const std::string dropped = transformed({.drop = {path}}, data);
    const auto without = msgpack::unpack(dropped.data(), dropped.size());
    left.clear();
    collect(without.get(), keys, 0, left);
    const bool has_index = std::any_of(keys.begin(), keys.end(), [](const std::string& name) {
      return name >= "0" && name <= "9";
    });
    if (!has_index) {
      ASSERT_TRUE(left.empty()) << path;  // other elements take a dropped one's index
    }
  }
  EXPECT_GT(hits, 100);
}

}  // namespace
}  // namespace outrider::sidecar
