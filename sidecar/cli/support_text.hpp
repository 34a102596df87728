// The text of `outrider support`: sections of one file, free of secrets and events.
//
// Used by support_command. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

/// Lines without what may be a secret: what follows words like "token", and of web addresses all
/// but scheme, host and port. Characters that a terminal acts on are escaped.
std::string for_strangers(std::string_view lines);

/// An answer of the admin interface without what receivers wrote, which may repeat an event. Fails
/// for what is no JSON: nobody knows what is in it.
Result<std::string> without_receiver_words(const std::string& json);

/// A headline, and below it the lines; "(nothing)" if there are none.
std::string support_section(std::string_view title, std::string_view lines);

}  // namespace outrider::sidecar
