#include "sidecar/config/explain.hpp"

#include "sidecar/base/text.hpp"
#include "sidecar/config/consequences.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/options.hpp"

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

/// A block of `check`: its settings, then their combined effects; empty if it has neither.
std::string block(const std::string& title, const std::string& settings,
                  const Sentences& sentences) {
  if (settings.empty() && sentences.empty()) return {};
  std::string text = title + "\n" + settings;
  if (!settings.empty() && !sentences.empty()) text += "\n  In effect:\n";
  for (const std::string& sentence : sentences) text += wrapped("  * ", sentence, "    ");
  return text + "\n";
}

class Explanation {
 public:
  Explanation(const LoadedConfig& loaded, Listing listing) : loaded_(loaded), listing_(listing) {}

  std::string section(std::string_view name, const std::string& title,
                      const DestinationConfig& destination, const ScheduleConfig& schedule,
                      const Sentences& sentences) const {
    std::string settings;
    for (const Option& option : options()) {
      if (option.section != name || (option.types & only(destination.type)) == 0) continue;
      const auto origins = loaded_.origins.find(title + "." + std::string(option.key));
      const bool is_given = origins != loaded_.origins.end();
      if (!is_given && listing_ == Listing::given) continue;
      std::vector<std::string> values =
          option.value.format({loaded_.config, destination, schedule});
      if (values.empty()) values.emplace_back();
      for (std::size_t i = 0; i < values.size(); ++i) {
        const bool has_place = is_given && i < origins->second.size();
        settings += setting_line(option.key, shown(option, values[i]),
                                 has_place ? origins->second[i].text() : "default");
      }
      settings += wrapped("      ", option.summary(), "      ");
    }
    return block("[" + title + "]", settings, sentences);
  }

 private:
  const LoadedConfig& loaded_;
  Listing listing_;
};

}  // namespace

std::string explain(const LoadedConfig& loaded, WallTime now, Listing listing) {
  const Config& config = loaded.config;
  const Explanation of(loaded, listing);
  std::string text;
  for (const Section& section : sections()) {
    if (section.name == "destination") {
      for (const DestinationConfig& it : config.destinations) {
        text += of.section(section.name, "destination." + it.name, it, {},
                           consequences(it, config.spool));
      }
    } else if (section.name == "schedule") {
      for (const ScheduleConfig& it : config.schedules) {
        text += of.section(section.name, "schedule." + it.name, {}, it, consequences(it, now));
      }
    } else {
      text += of.section(section.name, std::string(section.title), {}, {}, {});
    }
  }
  text += block("All destinations:", "", consequences(config));
  if (listing == Listing::given)
    text += "All other settings have their defaults; --all lists them.\n";
  for (const std::string& warning : loaded.warnings) text += "warning: " + warning + "\n";
  return text;
}

}  // namespace outrider::sidecar
