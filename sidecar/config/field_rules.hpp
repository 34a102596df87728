// The field rules of a destination (redact, drop_fields, rename_field, static_field) as values.
// Used by the checks, by the encoders and by the templates of http. Pure.
// Fails with: an Error that names the option.
#pragma once

#include "sidecar/base/field_path.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/destination_config.hpp"

namespace outrider::sidecar {

/// At most field_rules_max rules of all kinds.
Result<FieldRules> read_field_rules(const DestinationConfig& config);

}  // namespace outrider::sidecar
