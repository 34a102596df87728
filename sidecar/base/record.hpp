// EventRecord: an accepted event as the sidecar keeps it, in memory and on disk.
//
// Used by ingest (writes), queues, batches and the spool (hold), encoders (read). One record is one
// run of bytes, written once and then only copied whole:
//
//     RecordHead (19 bytes, native byte order), then, without gaps:
//     expiry (8 bytes, if any), origin (12 bytes, if any), id, topic, key, trace, host, data
//
// In memory the expiry uses this process's monotonic clock, and the origin is the place on disk of
// an event that is also stored there. A *stored* record, as it is on disk, has its expiry by the
// wall clock and no origin.
//
// This costs less than the event's own wire form plus its id. Fields that are optional on the wire
// are filled in: the event has an id and a time. Owns: nothing; RecordView points into the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
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
  std::uint8_t flags;
  std::uint64_t time_ns;
};
static_assert(sizeof(RecordHead) == 19);

/// The place of an event on disk: its block, and its index there.
struct [[gnu::packed]] RecordOrigin {
  std::int64_t block;
  std::uint32_t index;
};
static_assert(sizeof(RecordOrigin) == 12);

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
  std::optional<RecordOrigin> origin = std::nullopt;
};

/// The fields that ingest adds to an event to make a record of it.
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

/// It is also on disk.
bool has_record_origin_at(const std::uint8_t* at);

/// A mark for its owner, which still holds the bytes: the event is given up. Never on disk.
void mark_record_evicted(std::uint8_t* at);
bool is_record_evicted_at(const std::uint8_t* at);

/// Reads the record that begins at `at`, which write_record has written.
RecordView read_record(const std::uint8_t* at);

/// Bytes that write_stored_record will write for this record.
std::size_t stored_record_bytes(const RecordView& record);

/// Writes the record as it is kept on disk.
void write_stored_record(const RecordView& record, const Now& now, std::uint8_t* out);

/// Bytes that restore_record will write; `with_origin` as there.
std::size_t restored_record_bytes(proto::ByteView stored, bool with_origin = true);

/// Writes a stored record as it is kept in memory, with its origin if one is given.
void restore_record(proto::ByteView stored, const std::optional<RecordOrigin>& origin,
                    const Now& now, std::uint8_t* out);

/// Bytes of the stored record at the front of the data read from disk; 0 if there is no complete
/// and consistent one.
std::size_t sound_record_bytes(proto::ByteView stored);

/// The id as people and bodies see it: a text id itself, a binary one as a UUID written to `space`.
using IdSpace = std::array<char, uuid_text_bytes>;
std::string_view id_text(const RecordView& record, IdSpace& space);

}  // namespace outrider::sidecar
