// gzip (RFC 1952) by libdeflate, levels 1 to 12. Made by encoders.cpp.
// Thread and ownership are those of Compressor.
#pragma once

#include <memory>

#include "sidecar/encode/compressor.hpp"

namespace outrider::sidecar {

std::unique_ptr<Compressor> make_gzip_compressor(int level);

}  // namespace outrider::sidecar
