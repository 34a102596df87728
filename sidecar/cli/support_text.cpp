#include "sidecar/cli/support_text.hpp"

#include <algorithm>

#include "sidecar/base/journal.hpp"
#include "sidecar/base/json_document.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

/// Of an answer.
constexpr int levels_max = 32;
constexpr std::string_view scheme_mark = "://";
constexpr std::string_view ends_of_url = " \t\n\"'<>,;\\)";

bool is_web(std::string_view text_before) {
  return text_before.ends_with("http") || text_before.ends_with("https");
}

/// "https://user:pw@host:1/path?k=v" becomes "https://host:1/[redacted]".
std::string without_web_paths(std::string_view text) {
  std::string out;
  for (;;) {
    const std::size_t mark = text.find(scheme_mark);
    if (mark == std::string_view::npos) return out.append(text);
    const std::size_t begin = mark + scheme_mark.size();
    out += text.substr(0, begin);
    const bool cuts = is_web(text.substr(0, mark));
    text.remove_prefix(begin);
    if (!cuts) continue;
    const std::string_view url = text.substr(0, text.find_first_of(ends_of_url));
    const std::string_view authority = url.substr(0, url.find_first_of("/?#"));
    // Without an '@' npos + 1 is 0.
    out += authority.substr(authority.rfind('@') + 1);
    if (url.size() > authority.size() + 1) out += "/[redacted]";
    text.remove_prefix(url.size());
  }
}

/// False: it nests deeper than any answer of a sidecar.
bool remove_receiver_words(rapidjson::Value& value, int levels_left) {
  if (levels_left == 0) return false;
  if (value.IsArray()) {
    return std::ranges::all_of(value.GetArray(), [&](rapidjson::Value& element) {
      return remove_receiver_words(element, levels_left - 1);
    });
  }
  if (!value.IsObject()) return true;
  for (const char* const name : {receiver_words_field.data(), "last_answer"}) {
    while (value.RemoveMember(name)) continue;
  }
  return std::ranges::all_of(value.GetObject(), [&](auto& member) {
    return remove_receiver_words(member.value, levels_left - 1);
  });
}

}  // namespace

Result<std::string> without_receiver_words(const std::string& json) {
  rapidjson::Document document;
  if (const Status parsed = parse_json(json, document); !parsed.ok()) {
    return Error{"the answer is not a sidecar's: " + parsed.error().message};
  }
  if (!remove_receiver_words(document, levels_max)) {
    return Error{"the answer is not a sidecar's: it nests too deep"};
  }
  return write_json(document);
}

std::string for_strangers(std::string_view lines) {
  std::string out;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    out += without_secrets(without_web_paths(line)) + "\n";
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
  return printable_lines(out);
}

std::string support_section(std::string_view title, std::string_view lines) {
  const std::string text = for_strangers(lines);
  return "==== " + std::string(title) + "\n\n" + (text.empty() ? "(nothing)\n" : text) + "\n";
}

}  // namespace outrider::sidecar
