// Checks that need more than one setting: settings that are missing, that exclude each other, and
// that are allowed but probably not intended. To add one: one function in validate.cpp, or in
// validate_http.cpp if it is for http destinations alone. Used by the loader.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "sidecar/config/ini.hpp"
#include "sidecar/config/load.hpp"

namespace outrider::sidecar {

/// `failed` holds the full names of settings that already have an error; they get no further
/// errors. `file` is named where nothing better is known. Appends to `problems` and to
/// `loaded.warnings`.
void validate(LoadedConfig& loaded, const std::set<std::string, std::less<>>& failed,
              const std::string& file, std::vector<Problem>& problems);

}  // namespace outrider::sidecar
