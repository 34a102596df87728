#include "sidecar/config/reload_plan.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace outrider::sidecar {
namespace {

constexpr std::string_view encoder_group = "Body";

/// Their values are or may contain what nobody else should see.
constexpr std::string_view hidden_keys[] = {"url",   "header",       "secret_header",
                                            "proxy", "static_field", "data"};

/// Pairs of an added destination and a removed one.
constexpr std::size_t renames_compared_max = 256;

bool is_hidden(std::string_view key) {
  return std::ranges::find(hidden_keys, key) != std::end(hidden_keys);
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : ", ") + line;
  return text;
}

/// Whether this setting shapes bodies, of which each destination has its own writer.
bool is_of_encoder(const Option& option) {
  return option.group == encoder_group || option.key == "sample";
}

bool is_of_transport(const Option& option, DestinationType type) {
  if (is_of_encoder(option) || option.reload != Reload::new_requests) return false;
  return type == DestinationType::http || (type == DestinationType::file && option.key == "path");
}

class Planner {
 public:
  Planner(const Config& running, const Config& wanted) : running_(running), wanted_(wanted) {}

  ReloadPlan plan() {
    compare_sections();
    compare_destinations();
    compare_schedules();
    return std::move(plan_);
  }

 private:
  /// True: they differ, and it is noted.
  bool compare(const Option& option, const std::string& section, Reload reload,
               const Source& before, const Source& after) {
    const std::vector<std::string> from = option.value.format(before);
    const std::vector<std::string> to = option.value.format(after);
    if (from == to) return false;
    const bool is_secret = is_hidden(option.key);
    plan_.settings.push_back({section, std::string(option.key), reload,
                              is_secret ? "..." : joined(from), is_secret ? "..." : joined(to)});
    return true;
  }

  void compare_sections() {
    for (const Option& option : options()) {
      if (find_repeatable(option.section) != nullptr) continue;
      compare(option, std::string(option.section), option.reload, {running_, {}, {}},
              {wanted_, {}, {}});
    }
  }

  static bool is_same(const DestinationConfig& one, const DestinationConfig& other) {
    return std::ranges::none_of(options(), [&](const Option& option) {
      return option.section == "destination" &&
             option.value.format({Config{}, one, {}}) != option.value.format({Config{}, other, {}});
    });
  }

  void compare_destination(const DestinationConfig& before, const DestinationConfig& after) {
    DestinationChange change{.name = before.name};
    for (const Option& option : options()) {
      if (option.section != "destination") continue;
      const bool is_other =
          compare(option, "destination." + before.name, reload_of(option, before.type),
                  {running_, before, {}}, {wanted_, after, {}});
      if (!is_other) continue;
      change.has_other_settings = true;
      change.has_other_encoder = change.has_other_encoder || is_of_encoder(option);
      change.has_other_transport =
          change.has_other_transport || is_of_transport(option, before.type);
    }
    if (change.has_other_settings) plan_.changed.push_back(std::move(change));
  }

  void compare_destinations() {
    std::map<std::string_view, const DestinationConfig*> before;
    for (const DestinationConfig& one : running_.destinations) before[one.name] = &one;
    for (const DestinationConfig& one : wanted_.destinations) {
      const auto found = before.find(one.name);
      if (found == before.end()) {
        plan_.added.push_back(one.name);
      } else {
        compare_destination(*found->second, one);
        before.erase(found);
      }
    }
    for (const DestinationConfig& one : running_.destinations) {
      if (before.contains(one.name)) plan_.removed.push_back(one.name);
    }
    if (plan_.added.size() * before.size() > renames_compared_max) return;
    for (const DestinationConfig& one : wanted_.destinations) {
      if (std::ranges::find(plan_.added, one.name) == plan_.added.end()) continue;
      for (const auto& [name, old] : before) {
        if (is_same(*old, one)) plan_.renamed.push_back(std::string(name) + " is now " + one.name);
      }
    }
  }

  void compare_schedules() {
    std::map<std::string_view, const ScheduleConfig*> before;
    for (const ScheduleConfig& one : running_.schedules) before[one.name] = &one;
    for (const ScheduleConfig& one : wanted_.schedules) {
      const auto found = before.find(one.name);
      if (found == before.end()) {
        plan_.schedules_added.push_back(one.name);
        continue;
      }
      bool is_other = false;
      for (const Option& option : options()) {
        if (option.section != "schedule") continue;
        is_other |= compare(option, "schedule." + one.name, option.reload,
                            {running_, {}, *found->second}, {wanted_, {}, one});
      }
      if (is_other) plan_.schedules_changed.push_back(one.name);
      before.erase(found);
    }
    for (const ScheduleConfig& one : running_.schedules) {
      if (before.contains(one.name)) plan_.schedules_removed.push_back(one.name);
    }
  }

  const Config& running_;
  const Config& wanted_;
  ReloadPlan plan_;
};

}  // namespace

bool ReloadPlan::is_empty() const {
  return settings.empty() && added.empty() && removed.empty() && schedules_added.empty() &&
         schedules_removed.empty();
}

std::vector<std::string> ReloadPlan::refusals() const {
  std::vector<std::string> lines;
  for (const SettingChange& change : settings) {
    if (change.reload != Reload::restart) continue;
    lines.push_back(change.section + "." + change.key + " has changed from \"" + change.from +
                    "\" to \"" + change.to + "\", which requires a restart");
  }
  return lines;
}

ReloadPlan plan_reload(const Config& running, const Config& wanted) {
  return Planner(running, wanted).plan();
}

std::vector<std::string> describe(const ReloadPlan& plan) {
  std::vector<std::string> lines;
  const auto add = [&](const char* what, const std::vector<std::string>& names) {
    for (const std::string& name : names) lines.push_back(what + name);
  };
  add("added: destination.", plan.added);
  add("removed: destination.", plan.removed);
  add("renamed, which is a removal and an addition: destination ", plan.renamed);
  add("added: schedule.", plan.schedules_added);
  add("removed: schedule.", plan.schedules_removed);
  for (const SettingChange& change : plan.settings) {
    lines.push_back("changed (" + std::string(name_of(change.reload)) + "): " + change.section +
                    "." + change.key + ": " + (change.from.empty() ? "not set" : change.from) +
                    " -> " + (change.to.empty() ? "not set" : change.to));
  }
  if (lines.empty()) lines.emplace_back("nothing has changed");
  return lines;
}

}  // namespace outrider::sidecar
