// ReloadPlan: what a reload changes, found by comparing two configurations row by row.
//
// Used by App, which carries it out, and by those who show it. The option table decides for each
// changed value when it applies. A value that may be a secret is not shown. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "sidecar/config/config.hpp"
#include "sidecar/config/options.hpp"

namespace outrider::sidecar {

/// A setting with another value.
struct SettingChange {
  std::string section;  ///< "shutdown", "destination.audit"
  std::string key;
  Reload reload{};
  std::string from;  ///< as in the file; "..." if it may be a secret
  std::string to;
};

/// A destination that is there before and after.
struct DestinationChange {
  std::string name;
  bool has_other_settings = false;
  bool has_other_encoder = false;
  bool has_other_transport = false;
};

struct ReloadPlan {
  std::vector<SettingChange> settings;  ///< in the order of the option table
  std::vector<DestinationChange> changed;
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::string> schedules_added;
  std::vector<std::string> schedules_changed;
  std::vector<std::string> schedules_removed;
  /// "old is new with another name": both are among the others too.
  std::vector<std::string> renamed;

  bool is_empty() const;
  /// One line for each change that needs a restart; empty: there is none.
  std::vector<std::string> refusals() const;
};

ReloadPlan plan_reload(const Config& running, const Config& wanted);

/// A line for each change, for people.
std::vector<std::string> describe(const ReloadPlan& plan);

}  // namespace outrider::sidecar
