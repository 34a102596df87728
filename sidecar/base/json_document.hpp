// JSON that was written by people, as msgpack.
//
// Used by the command line and by the configuration; only this file includes the reader of
// RapidJSON. Integers stay 64-bit integers; the order of keys and even duplicate keys are kept. An
// integer that does not fit into 64 bits is an error, not an approximate double. Pure functions.
// Fails with: an Error that says at which byte of the text something is wrong.
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
