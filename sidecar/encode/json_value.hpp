// write_json_value: one msgpack value as JSON text, in one pass, without a tree in between.
//
// Used by JsonEncoder. docs/json-mapping.md describes the mapping of each msgpack type; whatever
// the bytes are, the output is one valid JSON value. Thread: that of the writer.
#pragma once

#include "proto/bytes.hpp"
#include "sidecar/base/time_text.hpp"
#include "sidecar/encode/json_writer.hpp"

namespace outrider::sidecar {

/// Writes `value`; a malformed value, which ingest never accepts, becomes null. `time_text` is for
/// the timestamps inside.
void write_json_value(proto::ByteView value, TimeText& time_text, JsonWriter& out);

}  // namespace outrider::sidecar
