// Wording that the errors, the explanations and the reference share. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outrider::sidecar {

/// The text in quotes, safe to print, long ones cut.
std::string in_quotes(std::string_view text);

/// For the end of a message: `; did you mean "timeout"?`, or nothing when no candidate is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

/// The text in lines of at most 100 bytes; `first` begins the first line, and `rest` the others.
std::string wrapped(std::string_view first, std::string_view text, std::string_view rest);

/// The name of a header or of a field in a query says that its value is a secret: X-Api-Key, sig.
bool sounds_secret(std::string_view name);

/// A URL as it may be shown: *** replaces user and password, a fragment and each value of the
/// query. Exceptions are values whose names are known to be harmless (format, version), values of
/// three bytes or less whose name does not sound secret, and {fields} of an event. In the path ***
/// replaces the text after a name that sounds secret, as in ;token=x. Also for a part of a URL,
/// from its path or query on.
std::string url_without_secrets(std::string_view url);

/// The values of path and query that url_without_secrets() hides.
std::vector<std::string> secrets_of_url(std::string_view url);

/// A name in the query of the URL sounds secret.
bool has_secret_in_query(std::string_view url);

/// "Name: value", a header or a field: *** replaces the value if the name sounds secret, and the
/// parts of the value that the value itself calls secret.
std::string line_without_secret(std::string_view line);

}  // namespace outrider::sidecar
