// Wording that the errors and explanations of the configuration share. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outrider::sidecar {

/// The text in quotes, safe to print, long ones cut.
std::string in_quotes(std::string_view text);

/// For the end of a message: `; did you mean "timeout"?`, or nothing when no candidate is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

/// A URL whose user:password@ is replaced by ***@.
std::string without_user_info(std::string_view url);

/// "Name: value" whose value is replaced by *** when the name says that it is a secret.
std::string without_secret(std::string_view header);

}  // namespace outrider::sidecar
