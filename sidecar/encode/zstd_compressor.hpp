// zstd (RFC 8878) by libzstd, levels 1 to 19, with the size of the content in each frame's header.
// Made by encoders.cpp. Thread and ownership are those of Compressor.
#pragma once

#include <memory>

#include "sidecar/encode/compressor.hpp"

namespace outrider::sidecar {

std::unique_ptr<Compressor> make_zstd_compressor(int level);

}  // namespace outrider::sidecar
