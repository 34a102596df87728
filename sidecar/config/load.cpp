#include "sidecar/config/load.hpp"

#include <algorithm>
#include <set>

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/checks.hpp"
#include "sidecar/config/file.hpp"
#include "sidecar/config/ini.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/options.hpp"
#include "sidecar/config/overrides.hpp"
#include "sidecar/config/schedule_checks.hpp"
#include "sidecar/config/sha256.hpp"
#include "sidecar/config/validate.hpp"

namespace outrider::sidecar {
namespace {

/// A feature of shells and other formats that this format does not have; empty: none is used.
std::string oddity_of(const Option& option, std::string_view value) {
  for (const std::string_view mark : {" #", " ;"}) {
    if (value.find(mark) == std::string_view::npos) continue;
    return in_quotes(mark) +
           " and the text after it are part of the value; put the comment on a separate line";
  }
  const std::string& kind = option.value.kind;
  if (kind != "path" && kind != "source" && kind != "endpoint" && kind != "URL") return {};
  if (value.size() > 1 && (value.front() == '"' || value.front() == '\'') &&
      value.front() == value.back()) {
    return "the quotes are part of the value; remove them";
  }
  if (value.starts_with("~/") || value.starts_with("$") ||
      value.find("${") != std::string_view::npos) {
    return "~ and $ are not expanded; write the full path";
  }
  return {};
}

Status read_value(const Option& option, const std::string& value, Target target, bool is_first) {
  if (has_control(value)) {
    return Error{"the value contains a control character; write one line of plain text"};
  }
  if (value.size() > value_bytes_max) {
    return Error{"the value is larger than " + format_size(value_bytes_max)};
  }
  return option.value.parse(target, value, is_first);
}

class Loader {
 public:
  LoadResult load(std::string_view text, const std::string& name,
                  const std::vector<std::string>& arguments);

 private:
  void complain(const Origin& origin, std::string message) {
    problems_.push_back({origin, std::move(message)});
  }
  bool is_usable(const IniSection& section);
  std::vector<IniSection> usable(std::vector<IniSection> sections);
  void override_with(IniSection given, const std::string& file, std::vector<IniSection>& sections);
  void apply(const IniSection& section);
  void apply(const IniSection& section, const IniSetting& setting, const Target& target);

  LoadedConfig loaded_;
  std::vector<Problem> problems_;
  std::set<std::string, std::less<>> failed_;  ///< full names of settings with an error
};

bool Loader::is_usable(const IniSection& section) {
  if (is_for_later(section.section, "", "")) {
    complain(section.origin, "section [" + section.title() + "] is not supported by this version");
    return false;
  }
  if (const Section* known = find_repeatable(section.section)) {
    const Status named = section.section == "destination" ? check_destination_name(section.name)
                                                          : check_schedule_name(section.name);
    if (named.ok()) return true;
    complain(section.origin, section.name.empty()
                                 ? "a " + section.section + " needs a name; write [" +
                                       std::string(known->title) + "]"
                                 : named.error().message);
    return false;
  }
  std::vector<std::string_view> names;
  for (const Section& known : sections()) {
    if (known.name == section.title()) return true;
    names.push_back(known.name);
  }
  complain(section.origin,
           "unknown section [" + section.title() + "]" + did_you_mean(section.section, names));
  return false;
}

std::vector<IniSection> Loader::usable(std::vector<IniSection> sections) {
  std::map<std::string, Origin> first;
  std::vector<IniSection> out;
  for (IniSection& section : sections) {
    if (!is_usable(section)) continue;
    const auto [at, is_new] = first.emplace(section.title(), section.origin);
    if (is_new) {
      out.push_back(std::move(section));
    } else if (find_repeatable(section.section) != nullptr) {
      complain(section.origin, section.section + " " + in_quotes(section.name) +
                                   " is defined twice; the first is at " + at->second.text());
    } else {
      complain(section.origin, "section [" + section.title() +
                                   "] is defined twice; the first is at " + at->second.text());
    }
  }
  return out;
}

void Loader::override_with(IniSection given, const std::string& file,
                           std::vector<IniSection>& sections) {
  const auto same = std::find_if(sections.begin(), sections.end(), [&](const IniSection& section) {
    return section.title() == given.title();
  });
  if (same == sections.end()) {
    const Section* repeatable = find_repeatable(given.section);
    const bool is_new =
        repeatable == nullptr ||
        std::any_of(given.settings.begin(), given.settings.end(), [&](const IniSetting& setting) {
          return setting.key == repeatable->first_key;
        });
    if (is_new) {
      sections.push_back(std::move(given));
      return;
    }
    std::vector<std::string_view> names;
    for (const IniSection& section : sections) {
      if (section.section == given.section) names.push_back(section.name);
    }
    complain(given.origin, "there is no " + given.section + " " + in_quotes(given.name) + " in " +
                               file + did_you_mean(given.name, names) +
                               " (to create it, also give --" + given.title() + "." +
                               std::string(repeatable->first_key) + ")");
    return;
  }
  std::erase_if(same->settings, [&](const IniSetting& setting) {
    return std::any_of(given.settings.begin(), given.settings.end(),
                       [&](const IniSetting& other) { return other.key == setting.key; });
  });
  same->settings.insert(same->settings.end(), given.settings.begin(), given.settings.end());
}

void Loader::apply(const IniSection& section) {
  DestinationConfig destination;
  destination.name = section.name;
  ScheduleConfig schedule;
  schedule.name = section.name;
  const Target target{loaded_.config, destination, schedule};
  loaded_.origins[section.title()] = {section.origin};
  // The type decides which keys exist, wherever in the section it is.
  for (const IniSetting& setting : section.settings) {
    if (setting.key == "type") apply(section, setting, target);
  }
  for (const IniSetting& setting : section.settings) {
    if (setting.key != "type") apply(section, setting, target);
  }
  if (section.section == "destination") loaded_.config.destinations.push_back(destination);
  if (section.section == "schedule") loaded_.config.schedules.push_back(schedule);
}

void Loader::apply(const IniSection& section, const IniSetting& setting, const Target& target) {
  const std::string full_name = section.title() + "." + setting.key;
  if (is_for_later(section.section, setting.key, "") ||
      is_for_later(section.section, setting.key, setting.value)) {
    const Option* known = find_option(section.section, setting.key);
    const std::string what = known == nullptr ? "" : " = " + setting.value;
    complain(setting.origin, setting.key + what + " is not supported by this version");
    failed_.insert(full_name);
    return;
  }
  const Option* option = find_option(section.section, setting.key);
  if (option == nullptr) {
    if (problems_.size() >= errors_max) return problems_.push_back({setting.origin, ""});
    complain(setting.origin, "unknown key " + in_quotes(setting.key) + " in [" + section.title() +
                                 "]" + did_you_mean(setting.key, keys_of(section.section)));
    return;
  }
  const DestinationType type = target.destination.type;
  if ((option->types & only(type)) == 0) {
    if (failed_.contains(section.title() + ".type")) return;
    complain(setting.origin, in_quotes(setting.key) + " does not apply to type " +
                                 std::string(name_of(type)) + ", only to type " +
                                 names_of(option->types));
    return;
  }
  std::vector<Origin>& origins = loaded_.origins[full_name];
  if (!origins.empty() && !option->value.is_repeatable) {
    complain(setting.origin,
             in_quotes(setting.key) + " is set twice; the first is at " + origins.front().text());
    return;
  }
  const std::string oddity = oddity_of(*option, setting.value);
  if (!oddity.empty()) {
    loaded_.warnings.push_back(setting.origin.text() + ": " + setting.key + ": " + oddity);
  }
  const Status status = read_value(*option, setting.value, target, origins.empty());
  origins.push_back(setting.origin);
  if (status.ok()) return;
  complain(setting.origin, setting.key + ": " + status.error().message);
  failed_.insert(full_name);
}

LoadResult Loader::load(std::string_view text, const std::string& name,
                        const std::vector<std::string>& arguments) {
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    const auto line =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(zero), '\n');
    return {{},
            {{name + ":" + std::to_string(line + 1) +
              ": the file contains a zero byte; save it as text in UTF-8, not in UTF-16"}}};
  }
  std::vector<IniSection> sections = usable(read_ini(text, name, problems_));
  for (IniSection& given : usable(read_overrides(arguments, problems_))) {
    override_with(std::move(given), name, sections);
  }
  loaded_.config.source = {name, sha256_hex(text)};
  for (const IniSection& section : sections) apply(section);
  validate(loaded_, failed_, name, problems_);

  // In the order of the file; the command line's, which have no line, first.
  std::stable_sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
    return a.origin.line < b.origin.line;
  });
  LoadResult result;
  const std::size_t shown = std::min(problems_.size(), errors_max);
  for (std::size_t i = 0; i < shown; ++i) {
    const Problem& problem = problems_[i];
    result.errors.push_back(Error{problem.message}.with_prefix(problem.origin.text()));
  }
  if (shown < problems_.size()) {
    result.errors.push_back(
        Error{name + ": " + std::to_string(problems_.size() - shown) + " more errors"});
  }
  result.loaded = std::move(loaded_);
  return result;
}

}  // namespace

LoadResult load_config(const std::string& path, const std::vector<std::string>& arguments) {
  const Result<std::string> text = read_regular_file(path, config_file_bytes_max);
  if (!text.ok()) return {{}, {text.error().with_prefix("the configuration")}};
  return load_config_text(text.value(), path, arguments);
}

LoadResult load_config_text(std::string_view text, const std::string& name,
                            const std::vector<std::string>& arguments) {
  return Loader().load(text, name, arguments);
}

}  // namespace outrider::sidecar
