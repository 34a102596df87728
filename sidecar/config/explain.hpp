// Explaining a configuration: every effective setting with its origin, what is probably not meant,
// and what each destination does in plain words. This is what `outrider check` prints first.
//
// Used by the command line. Changes nothing and does not touch the network: a URL that cannot be
// reached is a matter of run time, where it is tried again and logged. Secrets are not shown.
#pragma once

#include <string>

#include "sidecar/config/load.hpp"

namespace outrider::sidecar {

/// The explanation of a configuration that was loaded without errors; `now` is where the next runs
/// of its schedules are counted from.
std::string explain(const LoadedConfig& loaded, WallTime now);

}  // namespace outrider::sidecar
