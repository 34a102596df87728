// JSON that was written by people or by a sidecar, read; and as msgpack.
//
// Used by the command line, the configuration and the admin interface; only this file includes the
// reader of RapidJSON. Integers stay 64-bit integers; the order of keys and even duplicate keys are
// kept. An integer that does not fit into 64 bits is an error, not an approximate double. Pure
// functions. Fails with: an Error that says at which byte of the text something is wrong.
#pragma once

#include <string>
#include <string_view>

#include <rapidjson/document.h>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

Status parse_json(std::string_view json, rapidjson::Document& document);

/// The value as text again.
std::string write_json(const rapidjson::Value& value);

/// Fails if the value nests deeper than the wire format allows.
Result<std::string> pack_json(const rapidjson::Value& value);

}  // namespace outrider::sidecar
