#include "sidecar/config/explain.hpp"

#include "sidecar/base/text.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/options.hpp"
#include "sidecar/config/plain_words.hpp"
#include "sidecar/config/schedule_checks.hpp"

namespace outrider::sidecar {
namespace {

std::string shown(const Option& option, const std::string& value) {
  if (value.empty()) return "(not set)";
  const bool is_url =
      option.key == "url" || option.key == "proxy" || option.key == "cloudevents_source";
  if (is_url) return url_without_secrets(value);
  if (option.key == "header" || option.key == "static_field") return line_without_secret(value);
  return option.key == "data" ? without_secrets(value) : value;
}

std::string setting_line(std::string_view key, const std::string& value,
                         const std::string& origin) {
  constexpr std::size_t origin_column = 60;
  std::string line = "  " + std::string(key) + " = " + value;
  line += line.size() < origin_column ? std::string(origin_column - line.size(), ' ') : "  ";
  return line + origin + "\n";
}

std::string explain_section(const LoadedConfig& loaded, std::string_view section,
                            const std::string& title, const DestinationConfig& destination,
                            const ScheduleConfig& schedule) {
  std::string text = "[" + title + "]\n";
  for (const Option& option : options()) {
    if (option.section != section) continue;
    if ((option.types & only(destination.type)) == 0) continue;
    std::vector<std::string> values = option.value.format({loaded.config, destination, schedule});
    if (values.empty()) values.emplace_back();
    const auto origins = loaded.origins.find(title + "." + std::string(option.key));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool is_given = origins != loaded.origins.end() && i < origins->second.size();
      text += setting_line(option.key, shown(option, values[i]),
                           is_given ? origins->second[i].text() : "default");
    }
  }
  return text + "\n";
}

}  // namespace

std::string explain(const LoadedConfig& loaded, WallTime now) {
  std::string text;
  for (const Section& section : sections()) {
    if (section.name == "destination") {
      for (const DestinationConfig& it : loaded.config.destinations) {
        text += explain_section(loaded, section.name, "destination." + it.name, it, {});
      }
    } else if (section.name == "schedule") {
      for (const ScheduleConfig& it : loaded.config.schedules) {
        text += explain_section(loaded, section.name, "schedule." + it.name, {}, it);
      }
    } else {
      text += explain_section(loaded, section.name, std::string(section.title), {}, {});
    }
  }
  for (const DestinationConfig& destination : loaded.config.destinations) {
    text += plain_words(destination, !loaded.config.spool.path.empty());
  }
  for (const ScheduleConfig& schedule : loaded.config.schedules) {
    text += plain_words(schedule, now);
  }
  for (const std::string& warning : loaded.warnings) text += "warning: " + warning + "\n";
  return text;
}

}  // namespace outrider::sidecar
