#include "sidecar/base/event_template.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "sidecar/base/percent.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/time_text.hpp"

namespace outrider::sidecar {
namespace {

bool stays_in_header(char c) {
  return c >= 0x20 && c <= 0x7e && c != '%';
}

bool is_control(char c) {
  return (c >= 0 && c < 0x20) || c == 0x7f;
}

bool is_method(std::string_view text) {
  return !text.empty() && text.size() <= method_bytes_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

Error wrong_template(std::string_view text, std::string_view reason) {
  return {"template '" + printable(text, 100) + "': " + std::string(reason)};
}

/// Where the authority of a url ends and its path, query or fragment begins; npos if there is none
/// of these. A text that begins with a slash is all path.
std::size_t authority_end(std::string_view url) {
  if (url.starts_with('/')) return 0;
  constexpr std::string_view mark = "://";
  const std::size_t scheme_end = url.find(mark);
  if (scheme_end == std::string_view::npos) return std::string_view::npos;
  return url.find_first_of("/?#", scheme_end + mark.size());
}

/// A dot remains a dot if it is percent-encoded or followed by parameters: a program that resolves
/// dot segments may decode the one and strip the other first.
bool is_odd_segment(std::string_view segment) {
  segment = segment.substr(0, segment.find(';'));
  std::size_t dots = 0;
  while (!segment.empty()) {
    const bool is_encoded = segment.starts_with("%2e") || segment.starts_with("%2E");
    if (!is_encoded && segment[0] != '.') return false;
    segment.remove_prefix(is_encoded ? 3 : 1);
    ++dots;
  }
  return dots <= 2;
}

/// The end of the path's first segment, and the length of the text that ends it. Some programs
/// decode %2F, and take a backslash for a slash, before they resolve dot segments.
std::pair<std::size_t, std::size_t> segment_end(std::string_view path) {
  for (std::size_t at = 0; at < path.size(); ++at) {
    if (path[at] == '/' || path[at] == '\\') return {at, 1};
    if (path[at] != '%') continue;
    const std::string code = to_lower(path.substr(at + 1, 2));
    if (code == "2f" || code == "5c") return {at, 3};
  }
  return {path.size(), 0};
}

/// Segments of the path that are empty, `.` or `..`.
std::size_t odd_segments(std::string_view url) {
  const std::size_t begin = authority_end(url);
  if (begin == std::string_view::npos || url[begin] != '/') return 0;
  std::string_view path = url.substr(begin + 1);
  path = path.substr(0, path.find_first_of("?#"));
  std::size_t count = 0;
  for (;;) {
    const auto [end, separator_bytes] = segment_end(path);
    if (is_odd_segment(path.substr(0, end))) ++count;
    if (separator_bytes == 0) return count;
    path.remove_prefix(end + separator_bytes);
  }
}

/// Room for the longest number and for the shortest words.
using NumberText = std::array<char, 32>;

template <typename Number>
std::string_view number_text(Number number, NumberText& space) {
  return {space.data(), std::to_chars(space.data(), space.data() + space.size(), number).ptr};
}

/// How the value can be written, or nullopt.
std::optional<std::string_view> scalar_text(const proto::Token& value, NumberText& space) {
  switch (value.type) {
    case proto::TokenType::str:
      return proto::as_text(value.bytes);
    case proto::TokenType::uint:
      return number_text(value.uint, space);
    case proto::TokenType::sint:
      return number_text(value.sint, space);
    case proto::TokenType::boolean:
      return value.boolean ? "true" : "false";
    case proto::TokenType::real:
      if (!std::isfinite(value.real)) return std::nullopt;
      return value.is_float32 ? number_text(static_cast<float>(value.real), space)
                              : number_text(value.real, space);
    default:
      return std::nullopt;
  }
}

std::string_view priority_text(proto::Priority priority) {
  if (priority == proto::Priority::low) return "low";
  return priority == proto::Priority::high ? "high" : "normal";
}

}  // namespace

// Parsing -----------------------------------------------------------------------------------------

Result<EventTemplate> EventTemplate::parse(std::string_view text, Place place,
                                           std::optional<std::string_view> shown) {
  const std::string_view quoted = shown.value_or(text);
  if (text.size() > template_bytes_max) {
    return wrong_template(quoted,
                          "is longer than " + std::to_string(template_bytes_max) + " bytes");
  }
  EventTemplate made(place);
  const Status parts = made.parse_parts(text);
  if (!parts.ok()) return wrong_template(quoted, parts.error().message);
  const Status checked = made.check();
  if (!checked.ok()) return wrong_template(quoted, checked.error().message);
  if (place == Place::url) made.encode_fixed_text();
  made.odd_segments_ = odd_segments(made.with_each_field_as("x"));
  return made;
}

std::vector<std::string> EventTemplate::fixed_texts() const {
  std::vector<std::string> texts = {text_before_};
  for (const Field& field : fields_) texts.push_back(field.text_behind);
  return texts;
}

void EventTemplate::encode_fixed_text() {
  const std::size_t begin = std::min(authority_end(text_before_), text_before_.size());
  text_before_ = text_before_.substr(0, begin) + as_url_text(text_before_.substr(begin));
  for (Field& field : fields_) field.text_behind = as_url_text(field.text_behind);
}

std::vector<std::string> EventTemplate::redact(const FieldRules& rules) {
  std::vector<std::string> names;
  for (Field& field : fields_) {
    if (field.source != Source::data || !sidecar::is_redacted(rules, field.path)) continue;
    field.is_redacted = true;
    names.push_back(field.name);
  }
  return names;
}

Status EventTemplate::parse_parts(std::string_view text) {
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find_first_of("{}"), text.size());
    last_text().append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (text.starts_with("{{") || text.starts_with("}}")) {
      last_text().push_back(text[0]);
      text.remove_prefix(2);
      continue;
    }
    const std::size_t end = text.find('}');
    if (text[0] == '}' || end == std::string_view::npos) {
      return Error{"has an unmatched brace; write a literal brace as {{ or }}"};
    }
    auto field = parse_field(text.substr(1, end - 1));
    if (!field.ok()) return field.error();
    fields_.push_back(std::move(field.value()));
    text.remove_prefix(end + 1);
  }
  return Nothing{};
}

Result<EventTemplate::Field> EventTemplate::parse_field(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Source>, 7> sources = {{
      {"topic", Source::topic},
      {"id", Source::id},
      {"key", Source::key},
      {"time", Source::time},
      {"host", Source::host},
      {"trace", Source::trace},
      {"priority", Source::priority},
  }};
  Field field;
  const std::size_t bar = text.find('|');
  field.name = text.substr(0, bar);
  if (bar != std::string_view::npos) field.fallback = text.substr(bar + 1);
  if (text.find('{') != std::string_view::npos) {
    return Error{"has a brace inside {" + field.name + "}"};
  }
  for (const auto& [name, source] : sources) {
    if (field.name != name) continue;
    field.source = source;
    return field;
  }
  auto path = parse_field_path(field.name);
  if (!path.ok()) {
    return Error{
        "there is no field {" + field.name +
        "}; the fields are topic, id, key, time, host, trace, priority, data and data.KEY"};
  }
  field.path = std::move(path.value());
  const auto& keys = field.path.keys;
  if (std::any_of(keys.begin(), keys.end(), [](const PathKey& key) { return key.is_any; })) {
    return Error{"{" + field.name + "} matches many fields, but one text is needed"};
  }
  return field;
}

std::string EventTemplate::with_each_field_as(std::string_view text) const {
  std::string whole = text_before_;
  for (const Field& field : fields_) whole.append(text).append(field.text_behind);
  return whole;
}

Status EventTemplate::check() const {
  const std::string fixed = with_each_field_as("");
  if (std::any_of(fixed.begin(), fixed.end(), is_control)) {
    return Error{"has a control character in it"};
  }
  if (place_ == Place::method && !is_method(with_each_field_as("X"))) {
    return Error{"is not a method; a method is 1 to " + std::to_string(method_bytes_max) +
                 " capital letters"};
  }
  return place_ == Place::url ? check_url() : Nothing{};
}

Status EventTemplate::check_url() const {
  if (is_constant() || authority_end(text_before_) != std::string::npos) return Nothing{};
  return Error{"has {" + fields_[0].name +
               "} in its scheme or authority; fields are allowed only after scheme://host:port/"};
}

// Rendering ---------------------------------------------------------------------------------------

Status EventTemplate::render(const RecordView& record, std::string& out) const {
  const std::size_t begin = out.size();
  const auto fail = [&](std::string reason) -> Status {
    out.resize(begin);
    return Error{std::move(reason)};
  };
  out.append(text_before_);
  for (const Field& field : fields_) {
    const Status filled = append_field(field, record, out);
    if (!filled.ok()) return fail(filled.error().message);
    out.append(field.text_behind);
    if (out.size() - begin > template_bytes_max) {
      return fail("with {" + field.name + "} filled in it is longer than " +
                  std::to_string(template_bytes_max) + " bytes");
    }
  }
  const std::string_view text = std::string_view(out).substr(begin);
  if (place_ == Place::method && !is_method(text)) {
    return fail("the method with {" + fields_[0].name + "} filled in is not 1 to " +
                std::to_string(method_bytes_max) + " capital letters");
  }
  if (place_ == Place::url && !is_constant() && odd_segments(text) != odd_segments_) {
    return fail("{" + fields_[0].name +
                "} or a field after it makes a segment of the url's path empty, '.' or '..'");
  }
  return Nothing{};
}

Status EventTemplate::append_field(const Field& field, const RecordView& record,
                                   std::string& out) const {
  IdSpace id_space;
  TimeText time_text;
  NumberText number_space;
  std::optional<std::string_view> text;
  const auto unless_empty = [&](std::string_view value) {
    if (!value.empty()) text = value;
  };
  switch (field.source) {
    case Source::topic:
      text = record.topic;
      break;
    case Source::id:
      text = id_text(record, id_space);
      break;
    case Source::key:
      unless_empty(record.key);
      break;
    case Source::time:
      text = time_text.format_ns(record.time_ns);
      break;
    case Source::host:
      unless_empty(record.host);
      break;
    case Source::trace:
      unless_empty(record.trace);
      break;
    case Source::priority:
      text = priority_text(record.priority);
      break;
    case Source::data: {
      if (field.is_redacted) {
        text = redacted_text;
        break;
      }
      proto::MsgpackReader reader(find_field(record.data, field.path));
      proto::Token value;
      if (reader.next(value) != proto::ReadStatus::ok) break;
      if (value.type == proto::TokenType::nil) break;
      text = scalar_text(value, number_space);
      if (!text)
        return Error{"{" + field.name + "} is not a text, number or boolean in this event"};
    }
  }
  if (!text) {
    if (!field.fallback) return Error{"{" + field.name + "} is missing in this event"};
    text = *field.fallback;
  }
  append_escaped(*text, out);
  return Nothing{};
}

void EventTemplate::append_escaped(std::string_view text, std::string& out) const {
  // Longer than the limit in any case; render() refuses it.
  text = text.substr(0, template_bytes_max + 1);
  switch (place_) {
    case Place::url:
      return append_percent_encoded(text, is_unreserved, out);
    case Place::header:
      return append_percent_encoded(text, stays_in_header, out);
    case Place::method:
      out.append(text);
  }
}

}  // namespace outrider::sidecar
