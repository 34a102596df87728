#include "proto/topic.hpp"

#include <array>

namespace outrider::proto {
namespace {

constexpr std::array<bool, 256> make_token_bytes() {
  std::array<bool, 256> table{};
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
  table['_'] = true;
  table['-'] = true;
  return table;
}
constexpr std::array<bool, 256> token_bytes = make_token_bytes();

}  // namespace

std::string_view take_token(std::string_view& rest) {
  const std::size_t dot = rest.find('.');
  const std::string_view token = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  return token;
}

bool is_valid_topic(std::string_view topic) {
  if (topic.empty() || topic.size() > topic_bytes_max) return false;
  bool after_dot = true;
  for (const char c : topic) {
    if (token_bytes[static_cast<unsigned char>(c)]) {
      after_dot = false;
    } else if (c == '.' && !after_dot) {
      after_dot = true;
    } else {
      return false;
    }
  }
  return !after_dot;
}

bool is_valid_pattern(std::string_view pattern) {
  if (pattern.empty() || pattern.size() > topic_bytes_max || pattern.back() == '.') return false;
  while (!pattern.empty()) {
    const std::string_view token = take_token(pattern);
    if (token == ">") return pattern.empty();
    if (token == "*") continue;
    if (!is_valid_topic(token)) return false;
  }
  return true;
}

bool matches(std::string_view pattern, std::string_view topic) {
  while (!pattern.empty() && !topic.empty()) {
    const std::string_view want = take_token(pattern);
    if (want == ">") return true;
    const std::string_view have = take_token(topic);
    if (want != "*" && want != have) return false;
  }
  return pattern.empty() && topic.empty();
}

}  // namespace outrider::proto
