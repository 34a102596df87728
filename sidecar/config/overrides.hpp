// Settings on the command line: `--shutdown.linger 5s`, `--destination.audit.url=https://...`.
// Parsed by Boost.Program_options; what the names mean is the loader's. Used by the loader.
#pragma once

#include <string>
#include <vector>

#include "sidecar/config/ini.hpp"

namespace outrider::sidecar {

/// The settings, grouped like those of a file; what is none becomes a problem.
std::vector<IniSection> read_overrides(const std::vector<std::string>& arguments,
                                       std::vector<Problem>& problems);

}  // namespace outrider::sidecar
