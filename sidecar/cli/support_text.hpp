// The text of `outrider support`: sections of one file, free of secrets.
//
// Used by support_command. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace outrider::sidecar {

/// Lines without what may be a secret: what follows words like "token", and of web addresses all
/// but scheme, host and port. Characters that a terminal acts on are escaped.
std::string for_strangers(std::string_view lines);

/// A headline, and below it the lines; "(nothing)" if there are none.
std::string support_section(std::string_view title, std::string_view lines);

}  // namespace outrider::sidecar
