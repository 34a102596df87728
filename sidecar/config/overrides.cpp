#include "sidecar/config/overrides.hpp"

#include <algorithm>
#include <string_view>

#include "sidecar/base/text.hpp"
#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::string_view dashes = "--";

/// "shutdown.linger" of "--shutdown.linger=5s"; empty: the word is no setting.
std::string_view name_of_setting(std::string_view word) {
  if (!word.starts_with(dashes)) return {};
  const std::string_view name = word.substr(dashes.size(), word.find('=') - dashes.size());
  return name.find('.') == std::string_view::npos ? std::string_view() : name;
}

bool has_value_behind(const std::vector<std::string>& words, std::size_t at) {
  return words[at].find('=') == std::string::npos && at + 1 < words.size() &&
         !words[at + 1].starts_with(dashes);
}

/// The section in `sections` that has this title, made if necessary.
IniSection& section_in(std::vector<IniSection>& sections, IniSection wanted) {
  const auto found = std::find_if(sections.begin(), sections.end(), [&](const IniSection& section) {
    return section.title() == wanted.title();
  });
  if (found != sections.end()) return *found;
  return sections.emplace_back(std::move(wanted));
}

/// SECTION.KEY or SECTION.NAME.KEY
void add_setting(std::string_view name, std::string value, std::vector<IniSection>& sections) {
  const std::size_t first = name.find('.');
  const std::size_t last = name.rfind('.');
  IniSection section;
  section.section = name.substr(0, first);
  if (first != last) section.name = name.substr(first + 1, last - first - 1);
  section_in(sections, section)
      .settings.push_back({std::string(name.substr(last + 1)), std::move(value), Origin{}});
}

}  // namespace

std::vector<std::string> take_settings(std::vector<std::string>& words) {
  std::vector<std::string> settings;
  std::vector<std::string> others;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (name_of_setting(words[i]).empty()) {
      others.push_back(words[i]);
      continue;
    }
    settings.push_back(words[i]);
    if (has_value_behind(words, i)) settings.push_back(words[++i]);
  }
  words = std::move(others);
  return settings;
}

std::vector<IniSection> read_overrides(const std::vector<std::string>& arguments,
                                       std::vector<Problem>& problems) {
  std::vector<IniSection> sections;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const std::string_view name = name_of_setting(word);
    if (name.empty()) {
      const std::string shown = word.substr(0, word.find('='));
      problems.push_back(
          {{}, in_quotes(shown) + " is not a setting; write it as --SECTION.KEY=VALUE"});
    } else if (const std::size_t equals = word.find('='); equals != std::string::npos) {
      add_setting(name, word.substr(equals + 1), sections);
    } else if (has_value_behind(arguments, i)) {
      add_setting(name, arguments[++i], sections);
    } else {
      problems.push_back({{},
                          "--" + printable(name, 64) + " has no value; write it as --" +
                              printable(name, 64) + "=VALUE"});
    }
  }
  return sections;
}

}  // namespace outrider::sidecar
