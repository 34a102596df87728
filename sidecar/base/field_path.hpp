// Field paths: the fields of an event's data that an option applies to, `data.card.*` or
// `data.items.0.id`.
//
// Used by the configuration to check options, by FieldTransform (encode) to change fields and by
// EventTemplate to read one. A path is `data`, then keys and indices, each after a dot:
//   * `*` means every key of a map and every index of an array;
//   * digits mean that index of an array, and the key of that name in a map;
//   * anything else means the key of that name. A key that contains a dot cannot be named.
// A key is compared by its bytes if it is a str or a bin, by its digits if it is an integer; keys
// of other types match only `*`.
//
// Thread: plain values and pure functions. Fails with: an Error that quotes the path.
// Limits: path_keys_max keys, which is as deep as data may be; field_rules_max rules of all kinds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/msgpack_reader.hpp"
#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

inline constexpr std::size_t path_keys_max = proto::depth_levels_max;
/// Rules of one destination, all kinds taken together.
inline constexpr std::size_t field_rules_max = 64;
/// The replacement of a redacted value.
inline constexpr std::string_view redacted_text = "[redacted]";

/// Whether a key that is an integer has these digits.
bool is_number_named(const proto::Token& key, std::string_view name);

/// Whether a map's key is meant by a name, by the rules above.
inline bool is_named(const proto::Token& key, std::string_view name) {
  const bool is_text = key.type == proto::TokenType::str || key.type == proto::TokenType::bin;
  return is_text ? proto::as_text(key.bytes) == name : is_number_named(key, name);
}

struct PathKey {
  std::string name;                    ///< `*` if is_any
  bool is_any = false;                 ///< every key and every index
  std::optional<std::uint32_t> index;  ///< if the name is one: digits without zeros in front

  bool matches_key(const proto::Token& key) const { return is_any || is_named(key, name); }
  bool matches_name(std::string_view key) const { return is_any || key == name; }
  bool matches_index(std::uint32_t position) const { return is_any || index == position; }
};

struct FieldPath {
  std::vector<PathKey> keys;  ///< those after `data`; empty: the data itself
};

/// `data.uid: user_id`: the field of that path gets another name in the same map.
struct FieldRename {
  FieldPath path;
  std::string name;
};

/// `data.env: production`: a field that every event gets, if its map is there. The value is text.
struct StaticField {
  FieldPath path;
  std::string value;
};

/// The changes to the data of each event before it is sent.
struct FieldRules {
  std::vector<FieldPath> redact{};
  std::vector<FieldPath> drop{};
  std::vector<FieldRename> rename{};
  std::vector<StaticField> fixed{};

  std::size_t size() const { return redact.size() + drop.size() + rename.size() + fixed.size(); }
};

Result<FieldPath> parse_field_path(std::string_view text);
/// Not the data itself: an event without data is none.
Result<FieldPath> parse_drop(std::string_view text);
/// Neither the data itself nor `*` as the last key, which would give many fields one name.
Result<FieldRename> parse_rename(std::string_view text);
/// Not the data itself and no `*`: it would have to make up keys.
Result<StaticField> parse_static_field(std::string_view text);

/// For the configuration: the error in an option's value, if any.
Status check_field_path(std::string_view text);
Status check_drop(std::string_view text);
Status check_rename(std::string_view text);
Status check_static_field(std::string_view text);

/// Whether a rule redacts the one field that the path names, by the name it came with or by the one
/// that a rename gives it.
bool is_redacted(const FieldRules& rules, const FieldPath& path);

/// The value that the path leads to, without its msgpack neighbours; empty if there is none. Of
/// several fields with the same key it is the last, as nearly every JSON reader takes it.
proto::ByteView find_field(proto::ByteView data, const FieldPath& path);

}  // namespace outrider::sidecar
