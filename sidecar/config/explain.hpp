// Explains a configuration: its settings with their origins and texts, their combined effects, and
// the warnings. `outrider check` prints this first.
//
// Used by the command line. Changes nothing and does not touch the network: a URL that cannot be
// reached is a matter of run time, where it is retried and logged. Secrets are not shown.
#pragma once

#include <cstdint>
#include <string>

#include "sidecar/config/load.hpp"

namespace outrider::sidecar {

enum class Listing : std::uint8_t {
  given,  ///< the settings of the file and the command line
  all,    ///< the defaults too
};

/// The explanation of a configuration that was loaded without errors; `now` is the time that the
/// next runs of its schedules are counted from.
std::string explain(const LoadedConfig& loaded, WallTime now, Listing listing);

}  // namespace outrider::sidecar
