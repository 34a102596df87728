// The option table as text: docs/configuration.md and the part of `--help` about settings.
// Used by the command line and by the test that keeps the checked-in page fresh. Pure functions.
#pragma once

#include <string>

namespace outrider::sidecar {

/// The whole of docs/configuration.md. After a change of the table: `./dev docs`.
std::string configuration_reference();

/// One line a setting, as it is written on the command line.
std::string configuration_help();

}  // namespace outrider::sidecar
