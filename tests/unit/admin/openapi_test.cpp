// docs/openapi.json against what is answered: each path, each member, each type.
#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "sidecar/admin/snapshot_json.hpp"
#include "sidecar/base/json_document.hpp"
#include "support/places.hpp"
#include "unit/admin/dead_fixture.hpp"

namespace outrider::test {
namespace {

using rapidjson::Value;

rapidjson::Document parse(const std::string& text) {
  rapidjson::Document document;
  const sidecar::Status status = sidecar::parse_json(text, document);
  EXPECT_TRUE(status.ok()) << text;
  return document;
}

std::string read_description() {
  std::ifstream file(source_path("docs/openapi.json"));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string type_of(const Value& value) {
  if (value.IsNull()) return "null";
  if (value.IsBool()) return "boolean";
  if (value.IsString()) return "string";
  if (value.IsArray()) return "array";
  if (value.IsObject()) return "object";
  return value.IsInt64() || value.IsUint64() ? "integer" : "number";
}

class OpenApiTest : public DeadFixture {
 protected:
  const Value& resolve(const Value& schema) const {
    if (!schema.HasMember("$ref")) return schema;
    const std::string path = schema["$ref"].GetString();
    return description_["components"]["schemas"][path.substr(path.rfind('/') + 1).c_str()];
  }

  static bool allows(const Value& types, const std::string& type) {
    const auto is = [&](const Value& allowed) {
      return allowed.GetString() == type ||
             (type == "integer" && std::string(allowed.GetString()) == "number");
    };
    if (!types.IsArray()) return is(types);
    return std::any_of(types.Begin(), types.End(), is);
  }

  void expect_object(const Value& value, const Value& schema, const std::string& where) {
    if (!schema.HasMember("properties")) {
      for (const auto& member : value.GetObject()) {
        expect(member.value, schema["additionalProperties"], where + ".*");
      }
      return;
    }
    const Value& properties = schema["properties"];
    for (const auto& member : value.GetObject()) {
      const std::string name = member.name.GetString();
      if (!properties.HasMember(name.c_str())) {
        ADD_FAILURE() << where << "." << name << " is answered and not described";
      } else {
        expect(member.value, properties[name.c_str()], where + "." + name);
      }
    }
    for (const auto& property : properties.GetObject()) {
      EXPECT_TRUE(value.HasMember(property.name))
          << where << "." << property.name.GetString() << " is described and not answered";
    }
  }

  void expect(const Value& value, const Value& unresolved, const std::string& where) {
    const Value& schema = resolve(unresolved);
    if (schema.HasMember("oneOf")) {
      // Something, or null.
      if (!value.IsNull()) expect(value, schema["oneOf"][0], where);
      return;
    }
    EXPECT_TRUE(allows(schema["type"], type_of(value))) << where << " is " << type_of(value);
    if (value.IsObject()) expect_object(value, schema, where);
    if (value.IsArray()) {
      EXPECT_TRUE(!value.Empty() || where == "/v1/changes.changes")
          << where << ": the test shows no element";
      for (const Value& element : value.GetArray()) expect(element, schema["items"], where + "[]");
    }
    if (!schema.HasMember("enum")) return;
    const auto& words = schema["enum"];
    const std::string word = value.GetString();
    EXPECT_TRUE(std::any_of(words.Begin(), words.End(),
                            [&](const Value& it) { return it.GetString() == word; }))
        << where << " is " << word;
  }

  /// Of an answer in JSON.
  void expect_described(const sidecar::HttpAnswer& answer, const Value& operation,
                        const std::string& where) {
    const std::string status = std::to_string(answer.status);
    ASSERT_TRUE(operation["responses"].HasMember(status.c_str())) << where << " " << status;
    const Value& content = operation["responses"][status.c_str()]["content"];
    const std::string type = answer.content_type.substr(0, answer.content_type.find(';'));
    ASSERT_TRUE(content.HasMember(type.c_str())) << where << " " << type;
    if (type != "application/json") return;
    expect(parse(*answer.body), content[type.c_str()]["schema"], where);
  }

  const rapidjson::Document description_ = parse(read_description());
};

TEST_F(OpenApiTest, HasThePathsThatThereAre) {
  std::set<std::string> described;
  for (const auto& path : description_["paths"].GetObject()) {
    for (const auto& method : path.value.GetObject()) {
      const std::string name = method.name.GetString();
      described.insert((name == "get" ? "GET, HEAD " : "POST ") +
                       std::string(path.name.GetString()));
    }
  }
  std::set<std::string> served;
  for (const std::string& line : sidecar::Routes::list()) served.insert(line);
  EXPECT_EQ(described, served);
}

TEST_F(OpenApiTest, DescribesEachMemberOfEachAnswer) {
  publish();
  bury("audit", 1, 4);
  for (const auto& path : description_["paths"].GetObject()) {
    std::string where = path.name.GetString();
    const bool is_dead = where.starts_with("/v1/dead");
    if (const auto mark = where.find("{name}"); mark != std::string::npos) {
      where.replace(mark, 6, is_dead ? "1" : "audit");
    }
    if (path.value.HasMember("get")) {
      expect_described(get(where), path.value["get"], where);
    } else {
      std::string body = where == "/v1/log-level" ? R"({"level": "warn"})" : "";
      if (where == "/v1/dead/retry" || where == "/v1/dead/drop") body = R"({"ids": [3]})";
      publish();
      expect_described(post(where, body), path.value["post"], where);
    }
  }
}

TEST_F(OpenApiTest, DescribesAWholeDeadLetterAndARefusedJob) {
  bury("audit", 1, 1);
  use({.payloads = sidecar::Payloads::full});
  const Value& paths = description_["paths"];
  const Value& letter = paths["/v1/dead/{name}"]["get"];
  // The rest of an event depends on the event.
  const sidecar::HttpAnswer shown = get("/v1/dead/1");
  if (shown.status == 200) {
    auto document = parse(*shown.body);
    EXPECT_TRUE(document["event"].IsObject()) << *shown.body;
    document["event"].SetNull();
    expect(document, letter["responses"]["200"]["content"]["application/json"]["schema"], "letter");
  }
  expect_described(get("/v1/dead/2"), letter, "/v1/dead/2");
  const sidecar::HttpAnswer refused = post("/v1/dead/drop", R"({"ids": [2]})");
  expect_described(refused, paths["/v1/dead/drop"]["post"], "/v1/dead/drop");
}

TEST_F(OpenApiTest, DescribesAChange) {
  const sidecar::Snapshot snapshot = full_snapshot(clock_.now());
  const sidecar::Change change{.number = 4,
                               .at = clock_.now().wall,
                               .level = sidecar::LogLevel::warn,
                               .kind = "breaker",
                               .message = "the breaker opened",
                               .fields = {{"destination", "audit"}}};
  expect(parse(sidecar::changes_json(&snapshot, 1ms, {change}, sidecar::Payloads::full)),
         description_["components"]["schemas"]["Changes"], "changes");
}

}  // namespace
}  // namespace outrider::test
