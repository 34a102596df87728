// The format `payload`: the data alone, as JSON, one event in each request; `payload_lines` has one
// in each line.
//
// Made by encoders.cpp. The other fields of an event belong to the request: its url, method and
// headers can have templates, and the trace and the sample rate are headers. Thread, ownership and
// failures are those of JsonBodyEncoder.
#pragma once

#include <memory>

#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

std::unique_ptr<Encoder> make_payload_encoder(const EncodeSettings& settings);
std::unique_ptr<Encoder> make_payload_lines_encoder(const EncodeSettings& settings);

}  // namespace outrider::sidecar
