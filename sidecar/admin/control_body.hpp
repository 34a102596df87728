// The bodies of requests that change something: small JSON objects, and what they ask for.
//
// Used by Routes. An unknown member is an error: it was meant to do something.
// So is one that is given twice. Pure functions.
// Fails with: an Error that names the member and what it takes.
#pragma once

#include <string_view>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

/// {"for_s": 60}; 0 without it: until a resume. An empty body is an empty object.
Result<Duration> read_pause_body(std::string_view body, Duration pause_max);

/// {"level": "debug"}
Result<LogLevel> read_level_body(std::string_view body);

/// {} or nothing.
Status read_empty_body(std::string_view body);

}  // namespace outrider::sidecar
