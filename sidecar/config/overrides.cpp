#include "sidecar/config/overrides.hpp"

#include <algorithm>

#include <boost/program_options.hpp>

#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {
namespace {

namespace po = boost::program_options;

std::vector<po::option> parse(const std::vector<std::string>& arguments) {
  po::options_description known;
  known.add_options()("*", po::value<std::string>());
  constexpr int style = po::command_line_style::allow_long |
                        po::command_line_style::long_allow_adjacent |
                        po::command_line_style::long_allow_next;
  return po::command_line_parser(arguments).options(known).style(style).run().options;
}

/// The section in `sections` that has this title, made if need be.
IniSection& section_in(std::vector<IniSection>& sections, IniSection wanted) {
  const auto found = std::find_if(sections.begin(), sections.end(), [&](const IniSection& section) {
    return section.title() == wanted.title();
  });
  if (found != sections.end()) return *found;
  return sections.emplace_back(std::move(wanted));
}

}  // namespace

std::vector<IniSection> read_overrides(const std::vector<std::string>& arguments,
                                       std::vector<Problem>& problems) {
  std::vector<IniSection> sections;
  try {
    for (const po::option& option : parse(arguments)) {
      // SECTION.KEY or SECTION.NAME.KEY
      const std::string& name = option.string_key;
      const std::size_t first = name.find('.');
      const std::size_t last = name.rfind('.');
      if (first == std::string::npos) {
        problems.push_back({{},
                            in_quotes(name.empty() ? option.value.front() : "--" + name) +
                                " is not a setting; write it as --SECTION.KEY=VALUE"});
        continue;
      }
      IniSection section;
      section.section = name.substr(0, first);
      if (first != last) section.name = name.substr(first + 1, last - first - 1);
      section_in(sections, section)
          .settings.push_back({name.substr(last + 1), option.value.front(), Origin{}});
    }
  } catch (const po::error& error) {
    problems.push_back({{}, error.what()});
  }
  return sections;
}

}  // namespace outrider::sidecar
