#include "sidecar/config/messages.hpp"

#include <algorithm>
#include <array>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::string_view hidden = "***";

bool sounds_secret(std::string_view header_name) {
  constexpr std::array<std::string_view, 8> words = {"auth",   "token", "key",       "secret",
                                                     "cookie", "passw", "signature", "credential"};
  const std::string name = to_lower(header_name);
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return name.find(word) != std::string::npos; });
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

std::string without_user_info(std::string_view url) {
  const std::size_t colon = url.find("://");
  const std::size_t begin = colon == std::string_view::npos ? 0 : colon + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const std::size_t at = url.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < begin) return std::string(url);
  return std::string(url.substr(0, begin)) + std::string(hidden) + std::string(url.substr(at));
}

std::string without_secret(std::string_view header) {
  const std::size_t colon = header.find(':');
  const std::string_view name = header.substr(0, colon);
  if (colon == std::string_view::npos || !sounds_secret(name)) return std::string(header);
  return std::string(name) + ": " + std::string(hidden);
}

}  // namespace outrider::sidecar
