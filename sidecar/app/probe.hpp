// Probe: whether this process could now open everything that a configuration names: sockets, ports,
// folders, files and the spool. It also asks the parts of each destination about their settings.
//
// Used by `outrider check`, which shows what it finds, and by `outrider run`, which stops at an
// error before anything is opened: so the two agree, and all errors are reported together. Errors
// that show only when something is opened are left to Host::open.
//
// It makes nothing, holds nothing and sends nothing. Thread: any.
#pragma once

#include <string>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/config/load.hpp"

namespace outrider::sidecar {

/// Each line begins with its place in the configuration.
struct ProbeReport {
  std::vector<std::string> errors;
  /// In use by another process: an error, unless it is the sidecar of this configuration. If a
  /// sidecar uses one of its endpoints, everything in use is listed here, otherwise among the
  /// errors.
  std::vector<std::string> in_use;
  std::vector<std::string> warnings;
};

/// `file`: the name of the configuration, for a default without a place of its own.
ProbeReport probe(const LoadedConfig& loaded, const std::string& file);

/// Schedules that a clock which was wrong once has put off, as far as the spool can be read. For
/// `outrider check`; a sidecar says it in its log.
std::vector<std::string> schedules_ahead(const Config& config, const Now& now);

}  // namespace outrider::sidecar
