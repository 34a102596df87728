#include "sidecar/cli/emit_line.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <vector>

#include "proto/event.hpp"
#include "sidecar/base/json_document.hpp"
#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

using rapidjson::Value;

constexpr std::uint64_t count_max = std::numeric_limits<std::int64_t>::max();

std::string_view text_of(const Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

/// The number that the digits of `text` make, which are digits all.
std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  for (const char digit : text) number = number * 10 + static_cast<std::uint64_t>(digit - '0');
  return number;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Whether the text begins like the shape, in which "d" is any digit.
bool begins_like(std::string_view text, std::string_view shape) {
  if (text.size() < shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 'd' ? !is_digit(text[i]) : text[i] != shape[i]) return false;
  }
  return true;
}

/// "Z", or as in "+01:00": how far local time is ahead.
bool parse_offset(std::string_view text, std::chrono::minutes& offset) {
  if (text == "Z") return true;
  if (text.size() != 6 || (!begins_like(text, "+dd:dd") && !begins_like(text, "-dd:dd"))) {
    return false;
  }
  const std::uint64_t hours = number_of(text.substr(1, 2));
  const std::uint64_t minutes = number_of(text.substr(4, 2));
  if (hours > 23 || minutes > 59) return false;
  offset = std::chrono::minutes(hours * 60 + minutes);
  if (text[0] == '-') offset = -offset;
  return true;
}

/// "2026-01-31T12:00:00", then perhaps a point and one to nine digits, then the offset.
bool parse_rfc3339(std::string_view text, std::uint64_t& time_ns) {
  constexpr std::string_view shape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() <= shape.size() || !begins_like(text, shape)) return false;
  const auto field = [text](std::size_t at) {
    return static_cast<unsigned>(number_of(text.substr(at, 2)));
  };
  const auto year = static_cast<int>(number_of(text.substr(0, 4)));
  const unsigned hour = field(11);
  const unsigned minute = field(14);
  const unsigned second = field(17);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(field(5)),
                                         std::chrono::day(field(8))};
  constexpr int year_max = 2553;  // the last whole one that fits
  if (!date.ok() || year < 1970 || year > year_max) return false;
  if (hour > 23 || minute > 59 || second > 59) return false;

  std::string_view rest = text.substr(shape.size());
  std::string fraction;
  if (rest.front() == '.') {
    rest.remove_prefix(1);
    const auto end = std::find_if_not(rest.begin(), rest.end(), is_digit);
    fraction.assign(rest.begin(), end);
    rest.remove_prefix(fraction.size());
    if (fraction.empty() || fraction.size() > 9) return false;
  }
  std::chrono::minutes offset{};
  if (!parse_offset(rest, offset)) return false;
  fraction.resize(9, '0');

  const std::chrono::seconds time = std::chrono::sys_days(date).time_since_epoch() +
                                    std::chrono::hours(hour) + std::chrono::minutes(minute) +
                                    std::chrono::seconds(second) - offset;
  if (time.count() < 0) return false;
  time_ns = static_cast<std::uint64_t>(time.count()) * 1'000'000'000 + number_of(fraction);
  return true;
}

Status take_text(const Value& value, std::string& to) {
  if (!value.IsString()) return Error{"must be text"};
  to = text_of(value);
  return Nothing{};
}

/// Empty text is none.
Status take_text_to(const Value& value, std::size_t bytes_max, std::string& to) {
  Status taken = take_text(value, to);
  if (!taken.ok() || to.size() <= bytes_max) return taken;
  return Error{"has " + std::to_string(to.size()) + " bytes; at most " + std::to_string(bytes_max) +
               " are allowed"};
}

Status take_id(const Value& value, std::string& to) {
  Status taken = take_text(value, to);
  if (!taken.ok() || to.empty() || proto::is_id_text(to)) return taken;
  return Error{"must be 1 to " + std::to_string(proto::id_text_bytes_max) +
               " visible ASCII characters, without blanks"};
}

Status take_count(const Value& value, std::uint64_t max, std::uint64_t& to) {
  if (!value.IsUint64() || value.GetUint64() > max) {
    return Error{"must be a whole number from 0 to " + std::to_string(max)};
  }
  to = value.GetUint64();
  return Nothing{};
}

/// Times must fit into 63 bits.
Status check_last(std::uint64_t time_ns) {
  if (time_ns <= count_max) return Nothing{};
  return Error{"is after 2262-04-11T23:47:16Z, the last time that an event can have"};
}

Status take_time(const Value& value, std::uint64_t& to) {
  if (value.IsUint64()) {
    to = value.GetUint64();
    return check_last(to);
  }
  if (value.IsString() && parse_rfc3339(text_of(value), to)) return check_last(to);
  return Error{"must be nanoseconds since 1970, or a time as in \"2026-01-31T12:00:00.5Z\""};
}

/// A date that is not before 2000, which the sidecar would refuse; 0 is none.
Status check_date(std::uint64_t at_ns) {
  if (Status last = check_last(at_ns); !last.ok()) return last;
  if (at_ns == 0 || at_ns >= proto::year_2000_ns) return Nothing{};
  return Error{"is before the year 2000; a number is nanoseconds since 1970"};
}

struct LineKey {
  std::string_view name;
  Status (*take)(const Value& value, EmitEvent& event);
};

constexpr std::array line_keys = {
    LineKey{"topic", [](const Value& v, EmitEvent& e) { return take_text(v, e.topic); }},
    LineKey{"data",
            [](const Value& v, EmitEvent& e) -> Status {
              auto data = pack_json(v);
              if (!data.ok()) return data.error();
              e.data = std::move(data.value());
              return Nothing{};
            }},
    LineKey{"time", [](const Value& v, EmitEvent& e) { return take_time(v, e.time_ns); }},
    LineKey{"id", [](const Value& v, EmitEvent& e) { return take_id(v, e.id); }},
    LineKey{"key", [](const Value& v,
                      EmitEvent& e) { return take_text_to(v, proto::key_bytes_max, e.key); }},
    LineKey{"trace", [](const Value& v,
                        EmitEvent& e) { return take_text_to(v, proto::trace_bytes_max, e.trace); }},
    LineKey{"at",
            [](const Value& v, EmitEvent& e) {
              Status taken = take_time(v, e.at_ns);
              return taken.ok() ? check_date(e.at_ns) : taken;
            }},
    LineKey{"ttl", [](const Value& v, EmitEvent& e) { return take_count(v, count_max, e.ttl_ms); }},
    LineKey{"pri", [](const Value& v, EmitEvent& e) { return take_count(v, 2, e.priority); }},
};

Status take_member(std::string_view name, const Value& value, EmitEvent& event) {
  std::vector<std::string_view> names;
  for (const LineKey& key : line_keys) {
    names.push_back(key.name);
    if (key.name != name) continue;
    Status taken = key.take(value, event);
    if (taken.ok()) return taken;
    return taken.error().with_prefix("\"" + std::string(name) + "\"");
  }
  const std::string_view near = nearest(name, names);
  std::string message = "there is no key \"" + printable(name, 64) + "\"";
  if (!near.empty()) message += "; did you mean \"" + std::string(near) + "\"?";
  return Error{message};
}

}  // namespace

Result<std::uint64_t> parse_date(std::string_view text) {
  std::uint64_t at_ns = 0;
  if (!parse_rfc3339(text, at_ns)) {
    return Error{"\"" + printable(text, 64) + "\" is not a time as in 2026-01-31T12:00:00Z"};
  }
  if (Status checked = check_date(at_ns); !checked.ok()) {
    return checked.error().with_prefix(std::string(text));
  }
  return at_ns;
}

Result<EmitEvent> read_emit_line(std::string_view line) {
  rapidjson::Document document;
  if (Status parsed = parse_json(line, document); !parsed.ok()) return parsed.error();
  if (!document.IsObject()) return Error{R"(not an object as in {"topic": "a.b", "data": 1})"};
  EmitEvent event;
  for (const auto& member : document.GetObject()) {
    if (Status taken = take_member(text_of(member.name), member.value, event); !taken.ok()) {
      return taken.error();
    }
  }
  if (event.topic.empty()) return Error{"\"topic\" is missing"};
  if (event.data.empty()) return Error{"\"data\" is missing"};
  return event;
}

}  // namespace outrider::sidecar
