#include "sidecar/config/messages.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::string_view hidden = "***";

std::string without_user_info(std::string_view url) {
  const std::size_t colon = url.find("://");
  const std::size_t begin = colon == std::string_view::npos ? 0 : colon + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const std::size_t at = url.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < begin) return std::string(url);
  return std::string(url.substr(0, begin)) + std::string(hidden) + std::string(url.substr(at));
}

/// Names whose values describe the request and not the sender.
constexpr std::array<std::string_view, 22> harmless_names = {
    "api-version", "api_version", "version", "v",      "format",   "precision", "org", "bucket",
    "db",          "index",       "source",  "type",   "topic",    "stream",    "env", "service",
    "pipeline",    "refresh",     "timeout", "region", "ddsource", "encoding"};

/// A part of a query: "name=value", or something without a name.
struct QueryField {
  std::string_view name;
  std::string_view value;
  bool has_equals = false;

  bool is_harmless() const {
    return std::find(harmless_names.begin(), harmless_names.end(), to_lower(name)) !=
           harmless_names.end();
  }
  /// The parts that a template takes from events are not in the configuration, and a shorter text
  /// than this protects nothing.
  bool is_shown() const {
    constexpr std::size_t secret_bytes_min = 4;
    const bool is_field = value.size() > 2 && value.front() == '{' && value.back() == '}' &&
                          value.find_first_of("|{", 1) == std::string_view::npos;
    const bool is_short = value.size() < secret_bytes_min && !sounds_secret(name);
    return value.empty() || is_field || is_short || is_harmless();
  }
};

QueryField query_field_of(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals != std::string_view::npos) {
    return {text.substr(0, equals), text.substr(equals + 1), true};
  }
  const QueryField named{text, {}, false};
  return named.is_harmless() ? named : QueryField{{}, text, false};
}

std::vector<QueryField> query_of(std::string_view url) {
  const std::size_t begin = url.find('?');
  if (begin == std::string_view::npos) return {};
  std::string_view rest = url.substr(begin + 1);
  rest = rest.substr(0, rest.find('#'));
  std::vector<QueryField> fields;
  for (;;) {
    const std::size_t end = rest.find('&');
    fields.push_back(query_field_of(rest.substr(0, end)));
    if (end == std::string_view::npos) return fields;
    rest.remove_prefix(end + 1);
  }
}

/// The part before the query, split at slashes and semicolons; "token=x" may be one piece.
std::vector<QueryField> path_of(std::string_view url) {
  std::string_view rest = url.substr(0, url.find_first_of("?#"));
  std::vector<QueryField> parts;
  for (;;) {
    const std::size_t end = std::min(rest.find_first_of("/;"), rest.size());
    const std::size_t equals = rest.substr(0, end).find('=');
    const std::string_view name = rest.substr(0, equals == std::string_view::npos ? end : equals);
    const bool has_equals = equals != std::string_view::npos;
    parts.push_back(
        {name, has_equals ? rest.substr(equals + 1, end - equals - 1) : "", has_equals});
    if (end == rest.size()) return parts;
    rest.remove_prefix(end + 1);
  }
}

/// In the path only parts that are called secret: most of it is an address and no credential.
bool is_shown_in_path(const QueryField& part) {
  return !part.has_equals || !sounds_secret(part.name) || part.is_shown();
}

/// The words of a name: "X-Api-Key" and "apiKey" are of "key".
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  for (const char c : name) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_lower = c >= 'a' && c <= 'z';
    const bool ends_lower =
        !words.back().empty() && words.back().back() >= 'a' && words.back().back() <= 'z';
    if ((is_upper && ends_lower) || (!is_upper && !is_lower)) words.emplace_back();
    if (is_upper || is_lower) words.back() += c;
  }
  for (std::string& word : words) word = to_lower(word);
  return words;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  constexpr std::size_t quoted_bytes_max = 200;
  return "\"" + printable(text, quoted_bytes_max) + "\"";
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string_view meant = nearest(word, candidates);
  return meant.empty() ? "" : "; did you mean \"" + std::string(meant) + "\"?";
}

std::string wrapped(std::string_view first, std::string_view text, std::string_view rest) {
  constexpr std::size_t line_bytes_max = 100;
  std::string lines;
  std::string line(first);
  std::size_t words = 0;
  for (const std::string& word : split(text, ' ')) {
    if (words++ > 0 && line.size() + 1 + word.size() > line_bytes_max) {
      lines += line + "\n";
      line = std::string(rest) + word;
    } else {
      line += (words == 1 ? "" : " ") + word;
    }
  }
  return lines + line + "\n";
}

bool sounds_secret(std::string_view name) {
  constexpr std::array<std::string_view, 8> parts = {"auth",   "token", "key",       "secret",
                                                     "cookie", "passw", "signature", "credential"};
  // Too short to be looked for inside of other words.
  constexpr std::array<std::string_view, 12> whole = {
      "sig", "code", "pwd", "pass", "pin", "sas", "jwt", "sid", "pw", "psk", "otp", "session"};
  const std::string lower = to_lower(name);
  const std::vector<std::string> words = words_of(name);
  return std::any_of(
             parts.begin(), parts.end(),
             [&](std::string_view part) { return lower.find(part) != std::string::npos; }) ||
         std::any_of(whole.begin(), whole.end(), [&](std::string_view word) {
           return std::find(words.begin(), words.end(), word) != words.end();
         });
}

std::string url_without_secrets(std::string_view url) {
  const std::string shown = without_user_info(url);
  std::string text;
  for (const QueryField& part : path_of(shown)) {
    // With the separator from the part before.
    const auto at = static_cast<std::size_t>(part.name.data() - shown.data());
    if (at > 0) text += shown[at - 1];
    text += part.name;
    if (part.has_equals) text += '=';
    text += is_shown_in_path(part) ? part.value : hidden;
  }
  char separator = '?';
  for (const QueryField& field : query_of(shown)) {
    text += std::exchange(separator, '&');
    text += field.name;
    if (field.has_equals) text += '=';
    text += field.is_shown() ? field.value : hidden;
  }
  const std::size_t fragment = shown.find('#');
  if (fragment == std::string::npos) return text;
  const QueryField behind{{}, std::string_view(shown).substr(fragment + 1), false};
  return text + "#" + std::string(behind.is_shown() ? behind.value : hidden);
}

std::vector<std::string> secrets_of_url(std::string_view url) {
  std::vector<std::string> secrets;
  for (const QueryField& part : path_of(url)) {
    if (!is_shown_in_path(part)) secrets.emplace_back(part.value);
  }
  for (const QueryField& field : query_of(url)) {
    if (!field.is_shown()) secrets.emplace_back(field.value);
  }
  return secrets;
}

bool has_secret_in_query(std::string_view url) {
  const std::vector<QueryField> fields = query_of(url);
  return std::any_of(fields.begin(), fields.end(), [](const QueryField& field) {
    return !field.is_shown() && sounds_secret(field.name);
  });
}

std::string line_without_secret(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon == std::string_view::npos || !sounds_secret(name)) return without_secrets(line);
  return std::string(name) + ": " + std::string(hidden);
}

}  // namespace outrider::sidecar
