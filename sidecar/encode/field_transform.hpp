// FieldTransform: redacts, drops, renames and adds fields of an event's data, msgpack to msgpack.
//
// Used by TransformEncoder, so that the rules hold in every format. One pass, without a tree in
// between; values that no rule can reach are copied byte for byte. In each map, in this order:
//   drop    the field, or the element of an array, is left out;
//   redact  the value, whatever it is, becomes the text "[redacted]";
//   rename  the field gets the new name and replaces a field that has it already; of several that
//           get one name, the field of the last rule stays, and of one rule's the last field;
//   fixed   the field is added at the end and replaces one of that name, redacted ones too; of
//           several that a rename brings into one map, the last rule's.
// A key of a path matches a field by its original name and by its new one, so that a rename cannot
// protect a field from redaction; only a rename itself looks at the original name alone. Fields
// with equal keys all match. Data that is not a map or array has no fields and is unchanged, unless
// a rule redacts `data` itself.
//
// Thread: one transform, one thread. Owns: its rules. Fails with: nothing; malformed data, which
// ingest never accepts, becomes nil and reveals nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/msgpack_reader.hpp"
#include "sidecar/base/field_path.hpp"

namespace outrider::sidecar {

class FieldTransform {
 public:
  /// At most field_rules_max rules.
  explicit FieldTransform(const FieldRules& rules);

  /// Writes the data with all rules applied to `out`, which is emptied first.
  void apply(proto::ByteView data, std::string& out) const;

 private:
  enum class Action : std::uint8_t { drop, redact, rename, fixed };
  struct Rule {
    Action action;
    std::vector<PathKey> keys;
    std::string text;  ///< rename: the new name; fixed: the value
  };
  /// Rules whose keys so far have matched the way to a value, one bit a rule.
  using RuleSet = std::uint64_t;
  static_assert(field_rules_max <= 64);

  /// The action for one field or element.
  struct Decision {
    bool is_dropped = false;
    bool is_redacted = false;
    const Rule* rename = nullptr;
    RuleSet below = 0;
  };

  class Writer;

  void add(Action action, const FieldPath& path, const std::string& text);

  std::vector<Rule> rules_;
  RuleSet all_ = 0;
  bool redacts_all_ = false;
};

}  // namespace outrider::sidecar
