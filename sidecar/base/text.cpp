#include "sidecar/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace outrider::sidecar {
namespace {

/// Levenshtein distance: the insertions, deletions and replacements between two words.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t i = 0; i <= to.size(); ++i) row[i] = i;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[to.size()];
}

}  // namespace

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    const std::string_view part = trim(text.substr(0, end));
    if (!part.empty()) parts.emplace_back(part);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  constexpr std::size_t word_bytes_max = 64;
  if (word.size() > word_bytes_max) return {};
  std::string_view best;
  std::size_t best_distance = word.size() / 3 + 2;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string without_secrets(std::string_view text) {
  static constexpr std::array words = {"authorization", "bearer",   "basic",  "token",
                                       "secret",        "password", "passwd", "api_key",
                                       "apikey",        "api-key",  "cookie", "signature"};
  const auto is_filler = [](char c) {
    return c == ' ' || c == ':' || c == '=' || c == '"' || c == '\'' || c == '\\' || c == '[';
  };
  const auto is_end = [](char c) {
    return c == ' ' || c == ',' || c == ';' || c == '&' || c == '"' || c == '\'' || c == '\\' ||
           c == '}' || c == ']' || c == '<';
  };
  const std::string lower = to_lower(text);
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t word_bytes = 0;
    for (const std::string_view word : words) {
      if (lower.compare(at, word.size(), word) == 0) word_bytes = std::max(word_bytes, word.size());
    }
    std::size_t value = at + word_bytes;
    if (word_bytes > 0) {
      while (value < text.size() && is_filler(text[value])) ++value;
    }
    // A word alone is no secret: something must stand between it and its value.
    if (word_bytes == 0 || value == at + word_bytes) {
      out += text[at++];
      continue;
    }
    out += text.substr(at, value - at);
    at = value;
    // "Authorization: Bearer x": the next word is found in its turn.
    const bool is_word_again = std::any_of(words.begin(), words.end(), [&](std::string_view word) {
      return lower.compare(at, word.size(), word) == 0;
    });
    if (is_word_again) continue;
    const std::size_t begin = at;
    while (at < text.size() && !is_end(text[at])) ++at;
    if (at > begin) out += "[redacted]";
  }
  return out;
}

std::string printable(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, bytes_max)) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += digits[byte >> 4U];
      out += digits[byte & 0x0fU];
    }
  }
  if (text.size() > bytes_max) out += "...";
  return out;
}

}  // namespace outrider::sidecar
