#include "sidecar/encode/field_transform.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "sidecar/encode/msgpack_bytes.hpp"

namespace outrider::sidecar {
namespace {

using proto::MsgpackReader;
using proto::ReadStatus;
using proto::Token;
using proto::TokenType;

constexpr std::uint64_t bit(std::size_t index) {
  return std::uint64_t{1} << index;
}

/// The head of a container whose count is known only when it is finished: the form is chosen for
/// the largest count that it can have.
class Head {
 public:
  Head(std::string& out, TokenType type, std::uint32_t count_max)
      : at_(out.size()), is_map_(type == TokenType::map) {
    bytes_ = count_max < 16 ? 0 : count_max <= 0xffff ? 2 : 4;
    out.append(1 + bytes_, '\0');
  }

  void finish(std::string& out, std::uint32_t count) const {
    std::string head;
    if (bytes_ == 0) {
      put(head, (is_map_ ? 0x80U : 0x90U) | count);
    } else {
      put(head, (is_map_ ? 0xdeU : 0xdcU) + (bytes_ == 4 ? 1U : 0U));
      put_big_endian(head, count, bytes_);
    }
    out.replace(at_, head.size(), head);
  }

 private:
  std::size_t at_;
  bool is_map_;
  std::uint32_t bytes_;
};

}  // namespace

/// One application of the rules to one value. Depth is bounded by the longest path.
class FieldTransform::Writer {
 public:
  Writer(const std::vector<Rule>& rules, proto::ByteView data, std::string& out)
      : rules_(rules), data_(data), reader_(data), out_(out) {}

  bool write_value(RuleSet active, std::size_t depth);

 private:
  /// The rules for the fields of one map.
  struct MapRules {
    std::size_t depth;
    RuleSet active;   ///< all of them
    RuleSet renames;  ///< those that give a field of this map another name
    RuleSet fired;    ///< of the renames, those whose field is there in the end
    RuleSet fixed;    ///< those that add a field to this map
    /// Of each rule that fired, which field of the map it renames in the end: equal keys, and keys
    /// of other types that read the same, are several.
    std::array<std::uint32_t, field_rules_max> renamed{};
  };

  bool write_map(std::uint32_t count, RuleSet active, std::size_t depth);
  bool write_array(std::uint32_t count, RuleSet active, std::size_t depth);
  bool write_element(const Decision& decision, std::size_t depth);
  bool read_key(Token& key);
  /// Copies the bytes read since `begin` unchanged.
  void copy_since(std::size_t begin);

  RuleSet ending_here(Action action, RuleSet active, std::size_t depth) const;
  RuleSet fields_to_add(RuleSet active, std::size_t depth) const;
  bool find_fired(std::uint32_t count, MapRules& rules);
  void fire(const Rule& rule, std::uint32_t field, MapRules& rules) const;
  std::size_t index_of(const Rule& rule) const {
    return static_cast<std::size_t>(&rule - rules_.data());
  }
  Decision decide_field(const Token& key, const MapRules& rules) const;
  Decision decide_element(std::uint32_t index, RuleSet active, std::size_t depth) const;
  static void apply_rule(RuleSet self, const Rule& rule, std::size_t depth, Decision& decision);
  /// Another field takes the place of this one.
  bool is_replaced(const Token& key, std::uint32_t field, const Decision& decision,
                   const MapRules& rules) const;

  /// Calls `visit(RuleSet of this rule alone, rule)`.
  template <typename Visit>
  void for_each(RuleSet set, const Visit& visit) const {
    for (RuleSet left = set; left != 0; left &= left - 1) {
      const auto rule = static_cast<std::size_t>(std::countr_zero(left));
      visit(bit(rule), rules_[rule]);
    }
  }

  const std::vector<Rule>& rules_;
  proto::ByteView data_;
  MsgpackReader reader_;
  std::string& out_;
};

bool FieldTransform::Writer::write_value(RuleSet active, std::size_t depth) {
  const std::size_t begin = reader_.offset();
  Token token;
  if (reader_.next(token) != ReadStatus::ok) return false;
  if (token.type == TokenType::map) return write_map(token.count, active, depth);
  if (token.type == TokenType::array) return write_array(token.count, active, depth);
  copy_since(begin);
  return true;
}

void FieldTransform::Writer::copy_since(std::size_t begin) {
  out_.append(proto::as_text(data_.subspan(begin, reader_.offset() - begin)));
}

bool FieldTransform::Writer::read_key(Token& key) {
  const std::size_t begin = reader_.offset();
  if (reader_.next(key) != ReadStatus::ok) return false;
  if (key.type != TokenType::map && key.type != TokenType::array) return true;
  reader_.go_to(begin);
  return reader_.skip_value() == ReadStatus::ok;
}

bool FieldTransform::Writer::write_map(std::uint32_t count, RuleSet active, std::size_t depth) {
  MapRules rules{
      depth, active, ending_here(Action::rename, active, depth), {}, fields_to_add(active, depth),
      {}};
  if (!find_fired(count, rules)) return false;
  const Head head(out_, TokenType::map,
                  count + static_cast<std::uint32_t>(std::popcount(rules.fixed)));
  std::uint32_t written = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t begin = reader_.offset();
    Token key;
    if (!read_key(key)) return false;
    const Decision decision = decide_field(key, rules);
    if (decision.is_dropped || is_replaced(key, i, decision, rules)) {
      if (reader_.skip_value() != ReadStatus::ok) return false;
      continue;
    }
    if (decision.rename != nullptr) {
      put_text(out_, decision.rename->text);
    } else {
      copy_since(begin);
    }
    if (!write_element(decision, depth)) return false;
    ++written;
  }
  for_each(rules.fixed, [&](RuleSet, const Rule& rule) {
    put_text(out_, rule.keys.back().name);
    put_text(out_, rule.text);
    ++written;
  });
  head.finish(out_, written);
  return true;
}

bool FieldTransform::Writer::write_array(std::uint32_t count, RuleSet active, std::size_t depth) {
  const Head head(out_, TokenType::array, count);
  std::uint32_t written = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Decision decision = decide_element(i, active, depth);
    if (decision.is_dropped) {
      if (reader_.skip_value() != ReadStatus::ok) return false;
      continue;
    }
    if (!write_element(decision, depth)) return false;
    ++written;
  }
  head.finish(out_, written);
  return true;
}

bool FieldTransform::Writer::write_element(const Decision& decision, std::size_t depth) {
  if (!decision.is_redacted && decision.below != 0) return write_value(decision.below, depth + 1);
  const std::size_t begin = reader_.offset();
  if (reader_.skip_value() != ReadStatus::ok) return false;
  if (decision.is_redacted) {
    put_text(out_, redacted_text);
  } else {
    copy_since(begin);
  }
  return true;
}

FieldTransform::RuleSet FieldTransform::Writer::ending_here(Action action, RuleSet active,
                                                            std::size_t depth) const {
  RuleSet ending = 0;
  for_each(active, [&](RuleSet self, const Rule& rule) {
    if (rule.action == action && rule.keys.size() == depth + 1) ending |= self;
  });
  return ending;
}

/// A rename can bring rules of two paths into one map: of those with one name, the last.
FieldTransform::RuleSet FieldTransform::Writer::fields_to_add(RuleSet active,
                                                              std::size_t depth) const {
  const RuleSet all = ending_here(Action::fixed, active, depth);
  RuleSet last = all;
  for_each(all, [&](RuleSet self, const Rule& rule) {
    for_each(all & (self - 1), [&](RuleSet before, const Rule& other) {
      if (other.keys.back().name == rule.keys.back().name) last &= ~before;
    });
  });
  return last;
}

bool FieldTransform::Writer::find_fired(std::uint32_t count, MapRules& rules) {
  if (rules.renames == 0) return true;
  const std::size_t begin = reader_.offset();
  for (std::uint32_t i = 0; i < count; ++i) {
    Token key;
    if (!read_key(key) || reader_.skip_value() != ReadStatus::ok) return false;
    const Decision decision = decide_field(key, rules);
    if (decision.rename == nullptr || decision.is_dropped) continue;
    fire(*decision.rename, i, rules);
  }
  reader_.go_to(begin);
  return true;
}

/// Of several fields that get one name, the last rule's wins; of several of that rule, the last.
void FieldTransform::Writer::fire(const Rule& rule, std::uint32_t field, MapRules& rules) const {
  rules.renamed[index_of(rule)] = field;
  RuleSet last = bit(index_of(rule));
  for_each(rules.fired, [&](RuleSet self, const Rule& fired) {
    if (fired.text != rule.text) return;
    rules.fired &= ~self;
    last = std::max(last, self);
  });
  rules.fired |= last;
}

FieldTransform::Decision FieldTransform::Writer::decide_field(const Token& key,
                                                              const MapRules& rules) const {
  Decision decision;
  for_each(rules.renames, [&](RuleSet, const Rule& rule) {
    if (rule.keys[rules.depth].matches_key(key)) decision.rename = &rule;
  });
  for_each(rules.active, [&](RuleSet self, const Rule& rule) {
    const PathKey& path_key = rule.keys[rules.depth];
    const bool matches =
        path_key.matches_key(key) ||
        (decision.rename != nullptr && path_key.matches_name(decision.rename->text));
    if (matches) apply_rule(self, rule, rules.depth, decision);
  });
  return decision;
}

FieldTransform::Decision FieldTransform::Writer::decide_element(std::uint32_t index, RuleSet active,
                                                                std::size_t depth) const {
  Decision decision;
  for_each(active, [&](RuleSet self, const Rule& rule) {
    if (rule.keys[depth].matches_index(index)) apply_rule(self, rule, depth, decision);
  });
  return decision;
}

void FieldTransform::Writer::apply_rule(RuleSet self, const Rule& rule, std::size_t depth,
                                        Decision& decision) {
  if (rule.keys.size() > depth + 1) {
    decision.below |= self;
  } else if (rule.action == Action::drop) {
    decision.is_dropped = true;
  } else if (rule.action == Action::redact) {
    decision.is_redacted = true;
  }
}

bool FieldTransform::Writer::is_replaced(const Token& key, std::uint32_t field,
                                         const Decision& decision, const MapRules& rules) const {
  bool is_replaced = false;
  for_each(rules.fixed, [&](RuleSet, const Rule& rule) {
    const PathKey& name = rule.keys.back();
    is_replaced |= decision.rename != nullptr ? name.matches_name(decision.rename->text)
                                              : name.matches_key(key);
  });
  if (decision.rename != nullptr) {
    const std::size_t rule = index_of(*decision.rename);
    return is_replaced || (rules.fired & bit(rule)) == 0 || rules.renamed[rule] != field;
  }
  for_each(rules.fired,
           [&](RuleSet, const Rule& rule) { is_replaced |= is_named(key, rule.text); });
  return is_replaced;
}

FieldTransform::FieldTransform(const FieldRules& rules) {
  for (const FieldPath& path : rules.drop) add(Action::drop, path, "");
  for (const FieldPath& path : rules.redact) {
    redacts_all_ |= path.keys.empty();
    add(Action::redact, path, "");
  }
  for (const FieldRename& rename : rules.rename) add(Action::rename, rename.path, rename.name);
  for (const StaticField& field : rules.fixed) add(Action::fixed, field.path, field.value);
}

void FieldTransform::add(Action action, const FieldPath& path, const std::string& text) {
  if (path.keys.empty()) return;  // the data itself, which apply() redacts as a whole
  all_ |= bit(rules_.size());
  rules_.push_back({action, path.keys, text});
}

void FieldTransform::apply(proto::ByteView data, std::string& out) const {
  constexpr char nil = '\xc0';
  out.clear();
  if (redacts_all_) return put_text(out, redacted_text);
  if (!Writer(rules_, data, out).write_value(all_, 0)) out.assign(1, nil);
}

}  // namespace outrider::sidecar
