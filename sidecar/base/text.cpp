#include "sidecar/base/text.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include "proto/utf8.hpp"

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

void append_hex(std::uint32_t value, int digits, std::string& out) {
  while (digits-- > 0)
    out += "0123456789abcdef"[(value >> (4U * static_cast<unsigned>(digits))) & 15U];
}

/// Of two to four bytes.
std::uint32_t code_point(std::string_view character) {
  std::uint32_t code = static_cast<std::uint8_t>(character[0]) & (0x7fU >> character.size());
  for (const char c : character.substr(1))
    code = code << 6U | (static_cast<std::uint8_t>(c) & 0x3fU);
  return code;
}

struct CodeRange {
  std::uint32_t first;
  std::uint32_t last;
};

/// Characters that move printed text, or are invisible: C1 controls, marks and overrides of
/// direction, ends of lines, and characters without width, which are those with the Unicode
/// property Default_Ignorable_Code_Point and the marks of annotations.
constexpr std::array hidden_codes = {
    CodeRange{0x0080, 0x009f},   CodeRange{0x00ad, 0x00ad},   CodeRange{0x034f, 0x034f},
    CodeRange{0x061c, 0x061c},   CodeRange{0x115f, 0x1160},   CodeRange{0x17b4, 0x17b5},
    CodeRange{0x180b, 0x180f},   CodeRange{0x200b, 0x200f},   CodeRange{0x2028, 0x202e},
    CodeRange{0x2060, 0x206f},   CodeRange{0x3164, 0x3164},   CodeRange{0xfe00, 0xfe0f},
    CodeRange{0xfeff, 0xfeff},   CodeRange{0xffa0, 0xffa0},   CodeRange{0xfff0, 0xfffb},
    CodeRange{0x1bca0, 0x1bca3}, CodeRange{0x1d173, 0x1d17a}, CodeRange{0xe0000, 0xe0fff},
};

bool is_hidden(std::uint32_t code) {
  const auto after = std::upper_bound(
      hidden_codes.begin(), hidden_codes.end(), code,
      [](std::uint32_t value, const CodeRange& range) { return value < range.first; });
  return after != hidden_codes.begin() && code <= (after - 1)->last;
}

void append_utf16_unit(std::uint32_t unit, std::string& out) {
  out += "\\u";
  append_hex(unit, 4, out);
}

/// As JSON writes it: beyond 16 bits as two.
void append_escaped(std::uint32_t code, std::string& out) {
  if (code <= 0xffff) return append_utf16_unit(code, out);
  append_utf16_unit(0xd800U + ((code - 0x10000U) >> 10U), out);
  append_utf16_unit(0xdc00U + ((code - 0x10000U) & 0x3ffU), out);
}

/// One character, or the ill-formed bytes in its place.
void append_printable(std::string_view character, bool is_valid, std::string& out) {
  const auto byte = static_cast<std::uint8_t>(character[0]);
  if (is_valid && character.size() > 1) {
    const std::uint32_t code = code_point(character);
    if (is_hidden(code)) return append_escaped(code, out);
  } else if (!is_valid || byte < 0x20 || byte == 0x7f) {
    for (const char c : character) {
      out += "\\x";
      append_hex(static_cast<std::uint8_t>(c), 2, out);
    }
    return;
  }
  out += character;
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

std::string counted(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
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
    // A word alone is not a secret: something must separate it from its value.
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
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const proto::Utf8Sequence next = proto::first_sequence(text.substr(at));
    if (next.size > bytes_max - at) return out + "...";
    append_printable(text.substr(at, next.size), next.is_valid, out);
    at += next.size;
  }
  return out;
}

std::string printable_json(std::string_view json) {
  std::string out;
  while (!json.empty()) {
    const proto::Utf8Sequence next = proto::first_sequence(json);
    if (!next.is_valid) {
      out += proto::replacement_character;
    } else if (json[0] == '\n') {
      out += '\n';
    } else if (json[0] == '\x7f') {
      out += "\\u007f";
    } else {
      append_printable(json.substr(0, next.size), true, out);
    }
    json.remove_prefix(next.size);
  }
  return out;
}

}  // namespace outrider::sidecar
