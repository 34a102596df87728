// Undoes Content-Encoding: zstd. Used by `outrider sink`. Pure function.
// Fails with: an Error if the body is not zstd, is cut short, or exceeds bytes_max.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

Result<std::string> decode_zstd(std::string_view compressed, std::size_t bytes_max);

}  // namespace outrider::sidecar
