// The encoder settings that a destination's configuration asks for. Used by App. Pure function.
#pragma once

#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

/// Fails if a field rule cannot be read or there are too many; format, compression and its level
/// are always valid. The settings may point into `config`.
Result<EncodeSettings> make_encode_settings(const DestinationConfig& config);

}  // namespace outrider::sidecar
