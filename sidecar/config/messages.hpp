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

/// The name of a header or of a field in a query says that its value is a secret: X-Api-Key.
bool sounds_secret(std::string_view name);

/// A URL in which *** stands for user and password, and for each value of the query whose name
/// sounds secret; a value that holds {fields} is not one.
std::string url_without_secrets(std::string_view url);

/// "Name: value" whose value is replaced by *** when the name sounds secret.
std::string header_without_secret(std::string_view header);

}  // namespace outrider::sidecar
