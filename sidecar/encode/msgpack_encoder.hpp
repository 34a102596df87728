// The format `msgpack`: an array of maps, the data copied byte for byte.
//
// Made by encoders.cpp. Thread: one encoder, one thread. Owns: the calendar text of one
// second.
#pragma once

#include <memory>

#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

std::unique_ptr<Encoder> make_msgpack_encoder(const EncodeSettings& settings);
std::unique_ptr<Encoder> make_msgpack_stream_encoder(const EncodeSettings& settings);

}  // namespace outrider::sidecar
