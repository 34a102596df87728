// A destination's whole policy in plain words, for `outrider check`.
// Used by explain.cpp. A pure function; each option of the destination changes what it says. No
// secret is shown: of headers the names alone.
#pragma once

#include <string>

#include "sidecar/config/destination_config.hpp"

namespace outrider::sidecar {

/// A line that begins with its name, then indented lines; ends with a line feed.
std::string plain_words(const DestinationConfig& destination, bool has_spool);

}  // namespace outrider::sidecar
