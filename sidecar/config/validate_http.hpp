// Checks across the options of an http destination: urls, headers, {fields}, connection, TLS.
// Used by validate.cpp. Asks no name server and connects to nothing.
#pragma once

#include "sidecar/config/destination_config.hpp"
#include "sidecar/config/section_view.hpp"

namespace outrider::sidecar {

void validate_http(const DestinationConfig& destination, const SectionView& section);

}  // namespace outrider::sidecar
