// The format `payload`: the data alone, as JSON, one event a request; `payload_lines` is one a
// line.
//
// Made by encoders.cpp. What stands around the data in other formats is left to the request: its
// url, method and headers can have templates, the trace and the sample rate are headers.
// Thread, ownership and failures are those of JsonBodyEncoder.
#pragma once

#include <memory>

#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

std::unique_ptr<Encoder> make_payload_encoder(const EncodeSettings& settings);
std::unique_ptr<Encoder> make_payload_lines_encoder(const EncodeSettings& settings);

}  // namespace outrider::sidecar
