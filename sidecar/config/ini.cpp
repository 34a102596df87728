#include "sidecar/config/ini.hpp"

#include "sidecar/base/text.hpp"
#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {
namespace {

IniSection section_of(std::string_view title, const Origin& origin) {
  IniSection section;
  const std::size_t dot = title.find('.');
  section.section = title.substr(0, dot);
  if (dot != std::string_view::npos) section.name = title.substr(dot + 1);
  section.origin = origin;
  return section;
}

}  // namespace

std::vector<IniSection> read_ini(std::string_view text, const std::string& file,
                                 std::vector<Problem>& problems) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());

  std::vector<IniSection> sections;
  Origin origin{file, 0};
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++origin.line;

    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      const std::size_t close = line.find(']');
      if (close != line.size() - 1) {
        problems.push_back(
            {origin, in_quotes(line) + " is not a section line; write [NAME] and nothing else"});
      }
      sections.push_back(section_of(trim(line.substr(1, close - 1)), origin));
      continue;
    }
    const std::size_t equals = line.find('=');
    const std::string_view key = trim(line.substr(0, equals));
    if (equals == std::string_view::npos || key.empty()) {
      // Only the first word: the rest may be a secret.
      const std::string_view word = line.substr(0, line.find_first_of(" \t"));
      problems.push_back({origin, in_quotes(word) + " is not a setting; write key = value"});
    } else if (sections.empty()) {
      problems.push_back(
          {origin, "key " + in_quotes(key) +
                       " is outside of a section; put it below a section line such as [ingest]"});
    } else {
      const std::string_view value = trim(line.substr(equals + 1));
      sections.back().settings.push_back({std::string(key), std::string(value), origin});
    }
  }
  return sections;
}

}  // namespace outrider::sidecar
