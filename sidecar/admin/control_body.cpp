#include "sidecar/admin/control_body.hpp"

#include <algorithm>
#include <chrono>
#include <string>

#include "sidecar/base/json_document.hpp"
#include "sidecar/base/level_names.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"

namespace outrider::sidecar {
namespace {

using rapidjson::Value;

constexpr std::size_t shown_bytes_max = 64;

/// The object, with no member but `name` (empty: none).
Status parse_object(std::string_view body, std::string_view name, rapidjson::Document& document) {
  if (trim(body).empty()) body = "{}";
  if (Status parsed = parse_json(body, document); !parsed.ok()) return parsed;
  if (!document.IsObject()) return Error{"the body is not a JSON object; write {...}"};
  int given = 0;
  for (const auto& member : document.GetObject()) {
    const std::string_view key(member.name.GetString(), member.name.GetStringLength());
    if (key == name && ++given > 1) {
      return Error{"the body gives \"" + std::string(name) + "\" twice; send it once"};
    }
    if (key == name) continue;
    return Error{"the body has an unknown member \"" + printable(key, shown_bytes_max) + "\"" +
                 (name.empty() ? "; this request takes none"
                               : "; this request takes only \"" + std::string(name) + "\"")};
  }
  return Nothing{};
}

}  // namespace

Result<Duration> read_pause_body(std::string_view body, Duration pause_max) {
  constexpr const char* name = "for_s";
  rapidjson::Document document;
  if (Status parsed = parse_object(body, name, document); !parsed.ok()) return parsed.error();
  const auto member = document.FindMember(name);
  if (member == document.MemberEnd()) return Duration::zero();
  const double seconds_max = std::chrono::duration<double>(pause_max).count();
  // Less than a millisecond would be 0 somewhere, and mean "for ever".
  const double seconds = member->value.IsNumber() ? member->value.GetDouble() : 0;
  if (seconds >= 0.001 && seconds <= seconds_max) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }
  return Error{"for_s is not a number of seconds from 0.001 to " +
               std::to_string(static_cast<std::uint64_t>(seconds_max)) +
               "; leave it out to pause until a resume"};
}

Result<LogLevel> read_level_body(std::string_view body) {
  constexpr const char* name = "level";
  rapidjson::Document document;
  if (Status parsed = parse_object(body, name, document); !parsed.ok()) return parsed.error();
  const auto member = document.FindMember(name);
  if (member != document.MemberEnd() && member->value.IsString()) {
    const std::string_view text(member->value.GetString(), member->value.GetStringLength());
    const auto* const found = std::ranges::find(level_names, text);
    if (found != level_names.end()) return static_cast<LogLevel>(found - level_names.begin());
  }
  return Error{"level is not one of debug, info, warn and error; send {\"level\": \"info\"}"};
}

Status read_empty_body(std::string_view body) {
  rapidjson::Document document;
  return parse_object(body, {}, document);
}

}  // namespace outrider::sidecar
