// Settings on the command line: `--shutdown.linger 5s`, `--destination.audit.url=https://...`.
// The loader knows the meaning of the names. A value may be empty, as in a file; one that begins
// with -- must follow an equals sign. Used by the loader, and by the commands that take settings
// among their options.
#pragma once

#include <string>
#include <vector>

#include "sidecar/config/ini.hpp"

namespace outrider::sidecar {

/// Takes the settings out of a command's words: those that begin with -- and have a dot in their
/// names, with their values. The others are left for the command.
std::vector<std::string> take_settings(std::vector<std::string>& words);

/// The settings, grouped like those of a file; a word that is not a setting becomes a problem.
std::vector<IniSection> read_overrides(const std::vector<std::string>& arguments,
                                       std::vector<Problem>& problems);

}  // namespace outrider::sidecar
