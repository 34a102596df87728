#include "sidecar/admin/dead_request.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "sidecar/base/json_document.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"

namespace outrider::sidecar {
namespace {

using rapidjson::Value;

Error unknown(std::string_view name, const std::string& what) {
  return Error{"\"" + printable(name, 64) + "\" is unknown; " + what};
}

constexpr const char* filter_help =
    "a filter has destination, topic, reason, status, older_than, newer_than, last_before_ns, "
    "last_from_ns and lowest_id";

Status take_argument(const std::string& name, const std::string& value, std::uint64_t now_ns,
                     DeadListRequest& request) {
  if (name == "limit") {
    const auto limit = parse_count(value);
    if (!limit.ok() || limit.value() == 0 || limit.value() > DeadListRequest::limit_max) {
      return Error{"it takes 1 to " + std::to_string(DeadListRequest::limit_max)};
    }
    request.limit = limit.value();
    return Nothing{};
  }
  if (name == "count") {
    request.counts = value == "yes";
    return request.counts || value == "no" ? Status(Nothing{}) : Error{"it takes yes or no"};
  }
  if (name == "before") {
    const auto id = parse_dead_id(value);
    if (!id.ok()) return id.error();
    request.filter.highest_id = id.value() - 1;
    return Nothing{};
  }
  const auto taken = take_filter_member(name, value, now_ns, request.filter);
  if (!taken.ok()) return taken.error();
  if (taken.value()) return Nothing{};
  return unknown(name, std::string("a list takes limit, before and count, and ") + filter_help);
}

// The body ----------------------------------------------------------------------------------------

Status take_filter(const Value& value, std::uint64_t now_ns, DeadFilter& filter) {
  if (!value.IsObject()) return Error{"it is not an object"};
  std::set<std::string> names;
  for (const auto& member : value.GetObject()) {
    const std::string name(member.name.GetString(), member.name.GetStringLength());
    if (!names.insert(name).second) return Error{"\"" + printable(name, 64) + "\" is given twice"};
    std::string text;
    if (member.value.IsString()) text = member.value.GetString();
    if (member.value.IsUint64()) text = std::to_string(member.value.GetUint64());
    if (text.empty()) return Error{name + " is neither a text nor a number; leave it out"};
    const auto taken = take_filter_member(name, text, now_ns, filter);
    if (!taken.ok()) return taken.error().with_prefix(name);
    if (!taken.value()) return unknown(name, filter_help);
  }
  return Nothing{};
}

Status take_ids(const Value& value, DeadFilter& filter) {
  if (!value.IsArray() || value.Empty() || value.Size() > dead_ids_max) {
    return Error{"it is not a list of 1 to " + std::to_string(dead_ids_max) + " ids"};
  }
  for (const Value& id : value.GetArray()) {
    if (!id.IsInt64() || id.GetInt64() < 0) return Error{"an id is not a number"};
    filter.ids.push_back(id.GetInt64());
  }
  std::ranges::sort(filter.ids);
  filter.ids.erase(std::unique(filter.ids.begin(), filter.ids.end()), filter.ids.end());
  return Nothing{};
}

struct BodyMembers {
  bool has_filter = false;
  bool has_ids = false;
  bool has_highest = false;
  bool has_expected = false;
};

Status take_member(const std::string& name, const Value& value, std::uint64_t now_ns,
                   DeadRequest& request, BodyMembers& given) {
  if (name == "filter") {
    given.has_filter = true;
    return take_filter(value, now_ns, request.filter);
  }
  if (name == "ids") {
    given.has_ids = true;
    return take_ids(value, request.filter);
  }
  if (name == "highest_id" || name == "expected") {
    const bool is_id = name == "highest_id";
    if (!value.IsUint64() || (is_id && !value.IsInt64())) return Error{"it is not a number"};
    (is_id ? given.has_highest : given.has_expected) = true;
    if (is_id) request.filter.highest_id = value.GetInt64();
    if (!is_id) request.expected = value.GetUint64();
    return Nothing{};
  }
  if (name != "key") {
    return unknown(name, "this request takes filter, ids, highest_id, expected and key");
  }
  if (!value.IsString() || value.GetStringLength() == 0 ||
      value.GetStringLength() > dead_key_bytes_max) {
    return Error{"it is not a text of 1 to " + std::to_string(dead_key_bytes_max) + " bytes"};
  }
  request.key = value.GetString();
  return Nothing{};
}

}  // namespace

Result<DeadListRequest> read_dead_arguments(const HttpRequest::Pairs& arguments,
                                            std::uint64_t now_ns) {
  DeadListRequest request;
  for (const auto& [name, value] : arguments) {
    const Status taken = take_argument(name, value, now_ns, request);
    if (!taken.ok()) return taken.error().with_prefix(printable(name, 64));
  }
  return request;
}

Result<DeadRequest> read_dead_body(std::string_view body, std::uint64_t now_ns) {
  rapidjson::Document document;
  if (Status parsed = parse_json(body, document); !parsed.ok()) return parsed.error();
  if (!document.IsObject()) return Error{"the body is not a JSON object; write {...}"};
  DeadRequest request;
  BodyMembers given;
  std::set<std::string> names;
  for (const auto& member : document.GetObject()) {
    const std::string name(member.name.GetString(), member.name.GetStringLength());
    if (!names.insert(name).second) {
      return Error{"the body gives \"" + printable(name, 64) + "\" twice; send it once"};
    }
    const Status taken = take_member(name, member.value, now_ns, request, given);
    if (!taken.ok()) return taken.error().with_prefix(printable(name, 64));
  }
  if (given.has_filter == given.has_ids) {
    return Error{"send either filter, which may be {} for all, or ids"};
  }
  if (given.has_filter && !(given.has_highest && given.has_expected)) {
    return Error{
        "send highest_id and expected with a filter: the newest id that GET /v1/dead shows, and "
        "how many letters there are up to it"};
  }
  if (given.has_ids && !given.has_expected) request.expected = request.filter.ids.size();
  return request;
}

}  // namespace outrider::sidecar
