// A msgpack value as a few words for a log line: scalars unchanged, containers one level deep.
// Pure; accepts any bytes; the result is safe to print and about `bytes_max` long.
#pragma once

#include <cstddef>
#include <string>

#include "proto/bytes.hpp"

namespace outrider::sidecar {

std::string value_text(proto::ByteView value, std::size_t bytes_max);

/// Its type and size, and nothing of its content.
std::string value_kind(proto::ByteView value);

}  // namespace outrider::sidecar
