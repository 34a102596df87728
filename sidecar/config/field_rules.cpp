#include "sidecar/config/field_rules.hpp"

#include <string>
#include <utility>
#include <vector>

namespace outrider::sidecar {
namespace {

template <typename Rule>
Status read_rules(const char* option, const std::vector<std::string>& texts,
                  Result<Rule> (*parse)(std::string_view), std::vector<Rule>& rules) {
  for (const std::string& text : texts) {
    auto rule = parse(text);
    if (!rule.ok()) return rule.error().with_prefix(option);
    rules.push_back(std::move(rule.value()));
  }
  return Nothing{};
}

}  // namespace

Result<FieldRules> read_field_rules(const DestinationConfig& config) {
  FieldRules rules;
  for (const Status& status :
       {read_rules("redact", config.redact, parse_field_path, rules.redact),
        read_rules("drop_fields", config.drop_fields, parse_drop, rules.drop),
        read_rules("rename_field", config.rename_fields, parse_rename, rules.rename),
        read_rules("static_field", config.static_fields, parse_static_field, rules.fixed)}) {
    if (!status.ok()) return status.error();
  }
  if (rules.size() > field_rules_max) {
    return Error{"redact, drop_fields, rename_field and static_field have more than " +
                 std::to_string(field_rules_max) + " rules together; write fewer, or use data.*"};
  }
  return rules;
}

}  // namespace outrider::sidecar
