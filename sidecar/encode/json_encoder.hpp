// The formats `json` and `ndjson`: the same objects, as one array or one in each line.
//
// Made by encoders.cpp. Thread, ownership and failures are those of JsonBodyEncoder.
#pragma once

#include <memory>

#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

std::unique_ptr<Encoder> make_json_encoder(const EncodeSettings& settings);
std::unique_ptr<Encoder> make_ndjson_encoder(const EncodeSettings& settings);

}  // namespace outrider::sidecar
