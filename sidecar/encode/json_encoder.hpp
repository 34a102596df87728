// The formats `json` and `ndjson`: the same objects, as one array or one a line.
//
// Made by encoders.cpp. Thread: one encoder, one thread. Owns: the text of the event being written,
// reused from event to event. The body is valid JSON whatever the records hold; what becomes of
// msgpack values that JSON does not have stands in docs/json-mapping.md. An event's own part ends
// behind its closing brace, in ndjson behind its newline; in json the next one begins one byte
// later, behind the comma.
#pragma once

#include <memory>

#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

std::unique_ptr<Encoder> make_json_encoder();
std::unique_ptr<Encoder> make_ndjson_encoder();

}  // namespace outrider::sidecar
