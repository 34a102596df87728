#include "sidecar/config/messages.hpp"

#include <algorithm>
#include <array>

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

/// "name=value" of a query.
std::string without_secret_value(std::string_view field) {
  const std::size_t equals = field.find('=');
  const bool is_secret = equals != std::string_view::npos && equals + 1 < field.size() &&
                         field.find_first_of("{}", equals) == std::string_view::npos &&
                         sounds_secret(field.substr(0, equals));
  if (!is_secret) return std::string(field);
  return std::string(field.substr(0, equals + 1)) + std::string(hidden);
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

bool sounds_secret(std::string_view name) {
  constexpr std::array<std::string_view, 8> words = {"auth",   "token", "key",       "secret",
                                                     "cookie", "passw", "signature", "credential"};
  const std::string lower = to_lower(name);
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

std::string url_without_secrets(std::string_view url) {
  const std::string shown = without_user_info(url);
  const std::size_t query = shown.find('?');
  if (query == std::string::npos) return shown;
  const std::size_t end = std::min(shown.find('#', query), shown.size());
  std::string text = shown.substr(0, query + 1);
  std::string_view rest = std::string_view(shown).substr(query + 1, end - query - 1);
  while (!rest.empty()) {
    const std::size_t field_end = std::min(rest.find('&'), rest.size());
    text += without_secret_value(rest.substr(0, field_end));
    if (field_end < rest.size()) text += '&';
    rest.remove_prefix(std::min(field_end + 1, rest.size()));
  }
  return text + shown.substr(end);
}

std::string header_without_secret(std::string_view header) {
  const std::size_t colon = header.find(':');
  const std::string_view name = header.substr(0, colon);
  if (colon == std::string_view::npos || !sounds_secret(name)) return std::string(header);
  return std::string(name) + ": " + std::string(hidden);
}

}  // namespace outrider::sidecar
