// Loads the configuration: a file, then the settings of the command line, which override it,
// checked as a whole. All errors are reported together, each with its file and line. Only regular
// files are read, so that nothing waits for a pipe.
//
// Used by the command line (`run`, `check`) and by embedded mode. Thread: pure functions, except
// that they read the files that the configuration names. Fails with: LoadResult::errors.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/config/origin.hpp"

namespace outrider::sidecar {

inline constexpr std::size_t config_file_bytes_max = 4U << 20U;
inline constexpr std::size_t errors_max = 100;  ///< that are shown; the rest is counted
inline constexpr std::size_t value_bytes_max = 1U << 20U;
inline constexpr std::size_t destinations_max = 1024;
inline constexpr std::size_t schedules_max = 1024;

struct LoadedConfig {
  Config config;
  /// The place of each given setting, one entry for each value; a missing one is a default. By full
  /// name: "shutdown.linger", "destination.audit.url"; a section's own name gives its beginning.
  std::map<std::string, std::vector<Origin>, std::less<>> origins;
  /// Settings that are allowed but probably not intended, each beginning with its place.
  std::vector<std::string> warnings;
};

struct LoadResult {
  LoadedConfig loaded;        ///< to be used only if ok()
  std::vector<Error> errors;  ///< each beginning with its place: "outrider.conf:12: ..."

  bool ok() const { return errors.empty(); }
};

/// `arguments` are settings as on the command line: "--shutdown.linger=5s", or in two words.
LoadResult load_config(const std::string& path, const std::vector<std::string>& arguments = {});

/// The same from text; `name` replaces the file's name in messages.
LoadResult load_config_text(std::string_view text, const std::string& name,
                            const std::vector<std::string>& arguments = {});

}  // namespace outrider::sidecar
