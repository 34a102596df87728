// The option table as text: docs/configuration.md, systemd/outrider.conf and the part of `--help`
// about settings. Used by the command line and by the test that keeps the committed files up to
// date. Pure functions.
#pragma once

#include <string>

namespace outrider::sidecar {

/// The whole of docs/configuration.md.
std::string configuration_reference();

/// The whole of systemd/outrider.conf: one destination, and every other setting as a comment that
/// shows its default.
std::string configuration_example();

/// One line a setting, as it is written on the command line.
std::string configuration_help();

}  // namespace outrider::sidecar
