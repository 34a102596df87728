// EventRecord: an accepted event as the sidecar keeps it, in memory and later on disk.
//
// Used by ingest (writes), queues and batches (hold), encoders (read). One record is one run of
// bytes, written once and then only copied whole:
//
//     RecordHead (20 bytes, native byte order), then, without gaps:
//     id, topic, key, trace, host, expiry (8 bytes, if has_expiry), data
//
// The expiry counts by this process's monotonic clock.
//
// This costs less than the event's own wire form plus its id. Every field that the wire form leaves
// open is settled: the event has an id and a time. Owns: nothing; RecordView points into the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proto/event.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/uuid.hpp"

namespace outrider::sidecar {

struct [[gnu::packed]] RecordHead {
  std::uint32_t record_bytes;  ///< all of the record, this head included
  std::uint8_t id_bytes;
  std::uint8_t topic_bytes;
  std::uint8_t key_bytes;
  std::uint8_t trace_bytes;
  std::uint8_t host_bytes;
  std::uint8_t priority;
  std::uint8_t id_is_text;
  std::uint8_t has_expiry;
  std::uint64_t time_ns;
};
static_assert(sizeof(RecordHead) == 20);

struct RecordView {
  proto::ByteView bytes{};  ///< the whole record
  proto::ByteView id{};     ///< 16 bytes, or text
  bool id_is_text = false;
  std::string_view topic{};
  std::string_view key{};
  std::string_view trace{};
  std::string_view host{};
  std::uint64_t time_ns = 0;    ///< since the Unix epoch, never 0
  MonoTime expires_at = never;  ///< by the monotonic clock: wall clocks jump
  proto::Priority priority = proto::Priority::normal;
  proto::ByteView data{};  ///< one msgpack value
};

/// What ingest adds to an event to make a record of it.
struct RecordContext {
  proto::ByteView id;     ///< used if the event brings none; 16 bytes
  std::string_view host;  ///< of the frame, may be empty
  Now arrived;            ///< its time if it brings none; from here on its ttl runs
};

/// Bytes that write_record will write.
std::size_t record_bytes(const proto::EventView& event, const RecordContext& context);

/// Writes the record to `out`, which has record_bytes() bytes.
void write_record(const proto::EventView& event, const RecordContext& context, std::uint8_t* out);

/// Bytes of the record that begins at `at`.
std::size_t record_bytes_at(const std::uint8_t* at);

proto::Priority record_priority_at(const std::uint8_t* at);

/// Reads the record that begins at `at`, which write_record has written.
RecordView read_record(const std::uint8_t* at);

/// The id as people and bodies see it: a text id itself, a binary one as a UUID written to `space`.
using IdSpace = std::array<char, uuid_text_bytes>;
std::string_view id_text(const RecordView& record, IdSpace& space);

}  // namespace outrider::sidecar
