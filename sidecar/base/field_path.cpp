#include "sidecar/base/field_path.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

using proto::MsgpackReader;
using proto::ReadStatus;
using proto::Token;
using proto::TokenType;

Error wrong_path(std::string_view text, std::string_view reason) {
  return {"'" + printable(text, 100) + "' " + std::string(reason) +
          "; a field is written as data.KEY, data.KEY.KEY, data.KEY.*"};
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

std::optional<std::uint32_t> index_of(std::string_view name) {
  if (name.size() > 1 && name[0] == '0') return std::nullopt;
  std::uint32_t index;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return index;
}

template <typename Integer>
bool is_text_of(Integer value, std::string_view text) {
  std::array<char, 24> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return std::string_view(digits.data(), end) == text;
}

/// `PATH: TEXT`, as rename_field and static_field are written.
struct PathAndText {
  FieldPath path;
  std::string text;
};

Result<PathAndText> parse_path_and_text(std::string_view text, std::string_view what) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || trim(text.substr(colon + 1)).empty()) {
    return wrong_path(text, "has no " + std::string(what) + " after a colon");
  }
  auto path = parse_field_path(text.substr(0, colon));
  if (!path.ok()) return path.error();
  if (path.value().keys.empty()) return wrong_path(text, "names the whole data, not a field of it");
  return PathAndText{std::move(path.value()), std::string(trim(text.substr(colon + 1)))};
}

/// Goes to the last element or value of the container just read that `key` matches.
bool enter(MsgpackReader& reader, const Token& container, const PathKey& key) {
  std::optional<std::size_t> found;
  for (std::uint32_t i = 0; i < container.count; ++i) {
    bool matches = false;
    if (container.type == TokenType::map) {
      const std::size_t key_at = reader.offset();
      Token name;
      if (reader.next(name) != ReadStatus::ok) return false;
      matches = key.matches_key(name);
      reader.go_to(key_at);
      if (reader.skip_value() != ReadStatus::ok) return false;
    } else {
      matches = key.matches_index(i);
    }
    if (matches) found = reader.offset();
    if (reader.skip_value() != ReadStatus::ok) return false;
  }
  if (found) reader.go_to(*found);
  return found.has_value();
}

}  // namespace

bool is_number_named(const Token& key, std::string_view name) {
  if (key.type == TokenType::uint) return is_text_of(key.uint, name);
  return key.type == TokenType::sint && is_text_of(key.sint, name);
}

Result<FieldPath> parse_field_path(std::string_view text) {
  text = trim(text);
  constexpr std::string_view root = "data";
  if (!text.starts_with(root) || (text.size() > root.size() && text[root.size()] != '.')) {
    return wrong_path(text, "does not begin with data");
  }
  if (has_control_character(text)) return wrong_path(text, "has a control character in it");
  FieldPath path;
  std::string_view rest = text.substr(root.size());
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the dot
    const std::string_view name = rest.substr(0, rest.find('.'));
    if (name.empty()) return wrong_path(text, "has an empty key");
    if (path.keys.size() == path_keys_max) {
      return wrong_path(text, "has more than " + std::to_string(path_keys_max) + " keys");
    }
    path.keys.push_back({std::string(name), name == "*", index_of(name)});
    rest.remove_prefix(name.size());
  }
  return path;
}

Result<FieldPath> parse_drop(std::string_view text) {
  auto path = parse_field_path(text);
  if (path.ok() && path.value().keys.empty()) {
    return wrong_path(text, "names the whole data, not a field of it");
  }
  return path;
}

Result<FieldRename> parse_rename(std::string_view text) {
  auto parts = parse_path_and_text(text, "new name");
  if (!parts.ok()) return parts.error();
  const std::string_view name = parts.value().text;
  if (parts.value().path.keys.back().is_any) {
    return wrong_path(text, "would give many fields one name");
  }
  if (name.find('.') != std::string_view::npos || name == "*") {
    return wrong_path(text, "has a new name that is not one key; write it without data.");
  }
  if (has_control_character(name)) return wrong_path(text, "has a control character in it");
  return FieldRename{std::move(parts.value().path), std::string(name)};
}

Result<StaticField> parse_static_field(std::string_view text) {
  auto parts = parse_path_and_text(text, "value");
  if (!parts.ok()) return parts.error();
  StaticField field{std::move(parts.value().path), std::move(parts.value().text)};
  const bool has_any = std::any_of(field.path.keys.begin(), field.path.keys.end(),
                                   [](const PathKey& key) { return key.is_any; });
  if (has_any) return wrong_path(text, "has a * in it, but a new field needs a name");
  return field;
}

Status check_field_path(std::string_view text) {
  return status_of(parse_field_path(text));
}

Status check_drop(std::string_view text) {
  return status_of(parse_drop(text));
}

Status check_rename(std::string_view text) {
  return status_of(parse_rename(text));
}

Status check_static_field(std::string_view text) {
  return status_of(parse_static_field(text));
}

bool is_redacted(const FieldRules& rules, const FieldPath& path) {
  // The first keys of `rule` mean the field of that many keys on the path.
  const auto leads_to = [&](const FieldPath& rule, std::size_t keys) {
    return rule.keys.size() == keys &&
           std::equal(rule.keys.begin(), rule.keys.end(), path.keys.begin(),
                      [](const PathKey& key, const PathKey& on_path) {
                        return key.matches_name(on_path.name);
                      });
  };
  const auto matches = [&](const PathKey& key, std::size_t level) {
    return key.matches_name(path.keys[level].name) ||
           std::any_of(rules.rename.begin(), rules.rename.end(), [&](const FieldRename& rename) {
             return leads_to(rename.path, level + 1) && key.matches_name(rename.name);
           });
  };
  return std::any_of(rules.redact.begin(), rules.redact.end(), [&](const FieldPath& rule) {
    if (rule.keys.size() > path.keys.size()) return false;
    for (std::size_t level = 0; level < rule.keys.size(); ++level) {
      if (!matches(rule.keys[level], level)) return false;
    }
    return true;
  });
}

proto::ByteView find_field(proto::ByteView data, const FieldPath& path) {
  MsgpackReader reader(data);
  for (const PathKey& key : path.keys) {
    Token container;
    if (reader.next(container) != ReadStatus::ok) return {};
    if (container.type != TokenType::map && container.type != TokenType::array) return {};
    if (!enter(reader, container, key)) return {};
  }
  const std::size_t begin = reader.offset();
  if (reader.skip_value() != ReadStatus::ok) return {};
  return data.subspan(begin, reader.offset() - begin);
}

}  // namespace outrider::sidecar
