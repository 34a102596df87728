// Reads the text of a cron expression into its fields. Used only by CronExpression::parse. Accepts
// any text. Fails with: an Error that names the field and says what is allowed.
#pragma once

#include <string_view>

#include "sidecar/base/result.hpp"
#include "sidecar/cron/cron_expression.hpp"

namespace outrider::sidecar {

Result<CronExpression::Fields> parse_cron_fields(std::string_view text);

}  // namespace outrider::sidecar
