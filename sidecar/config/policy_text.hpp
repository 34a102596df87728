// Values of the delivery policy as people write them: shares, rates, actions by status.
// Used by the option table and by explanations. Pure functions. Fails with: an Error that says how
// the value is written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/result.hpp"
#include "sidecar/config/destination_config.hpp"

namespace outrider::sidecar {

/// "20%", "0.5%": from 0 to 1, with at most four decimal places of percent.
Result<double> parse_share(std::string_view text);
std::string format_share(double share);

/// "500 events/s, 10 requests/m, 1MiB/s": at most one of each kind, by s, m or h.
Result<RateLimits> parse_rates(std::string_view text);
/// Each by the period that makes it shortest; empty without a limit.
std::string format_rates(const RateLimits& rates);

/// "409:ok, 422:dead, 520-527:retry"; a status may be in only one of them.
Result<std::vector<StatusAction>> parse_status_actions(std::string_view text);
std::string format_status_actions(const std::vector<StatusAction>& actions);

/// "ok", "retry", ...
std::string_view name_of(Outcome outcome);

}  // namespace outrider::sidecar
