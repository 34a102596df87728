// JSON that was written by people, as msgpack.
//
// Used by the command line and by the configuration; the part of RapidJSON that reads stands here
// alone. Integers stay 64-bit integers, the order of keys and even duplicates of them stay as they
// are. An integer that 64 bits do not hold is an error, and not a double that is nearly the same.
// Pure functions. Fails with: an Error that says at which byte of the text something is wrong.
#pragma once

#include <string>
#include <string_view>

#include <rapidjson/document.h>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

Status parse_json(std::string_view json, rapidjson::Document& document);

/// Fails if the value nests deeper than the wire format allows.
Result<std::string> pack_json(const rapidjson::Value& value);

}  // namespace outrider::sidecar
