// Why a frame or an event is refused: a permanent number, a name for counters and a sentence for
// people. Used by the frame check, the sidecar's counters and the golden vectors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace outrider::proto {

/// Numbers are never reused and never change: golden vectors and confirm answers contain them.
enum class Refusal : std::uint8_t {
  none = 0,
  // The whole frame; nothing in it counts.
  frame_too_large = 1,
  frame_truncated = 2,
  frame_malformed = 3,
  frame_too_deep = 4,
  frame_shape = 5,
  frame_version = 6,
  frame_header = 7,
  frame_trailing = 8,
  // Only of a confirmed frame.
  frame_unnumbered = 9,
  frame_sequence_old = 10,
  frame_copies = 11,
  frame_refusals = 12,
  // One event; the others of its frame are taken.
  event_shape = 16,
  event_topic = 17,
  event_time = 18,
  event_too_large = 19,
  event_attributes = 20,
  event_scheduled = 21,
  // Only of a confirmed frame.
  event_unrouted = 22,
  event_beyond_spool = 23,
  // Of any event again.
  event_date = 24,
  // Temporary: the same confirmed frame may be sent again later, or a single event in a new frame.
  spool_full = 32,
  spool_failing = 33,
  stopping = 34,
  destination_full = 35,
  disk_full = 36,
};

/// True: the refusal is temporary, and the same frame may be taken later.
constexpr bool is_for_later(std::uint64_t refusal) {
  return refusal >= static_cast<std::uint64_t>(Refusal::spool_full);
}

/// True: the refusal is of one event, and the others of its frame can be taken.
constexpr bool is_of_event(Refusal refusal) {
  return (refusal >= Refusal::event_shape && refusal < Refusal::spool_full) ||
         refusal == Refusal::destination_full;
}

struct RefusalRow {
  Refusal refusal;
  std::string_view name;
  std::string_view sentence;
};

inline constexpr std::array refusals = {
    RefusalRow{
        Refusal::frame_too_large, "frame_too_large",
        "the frame has more bytes than ingest.frame_bytes_max; send fewer events in each frame"},
    RefusalRow{Refusal::frame_truncated, "frame_truncated", "the frame ends inside a value"},
    RefusalRow{Refusal::frame_malformed, "frame_malformed",
               "the frame holds a byte that msgpack does not have (0xc1)"},
    RefusalRow{Refusal::frame_too_deep, "frame_too_deep",
               "a value in the frame nests deeper than 32 levels"},
    RefusalRow{Refusal::frame_shape, "frame_shape",
               "the frame is not an array of [version, header map, events array]"},
    RefusalRow{Refusal::frame_version, "frame_version",
               "the frame's version is not 1; the sender is newer than this sidecar"},
    RefusalRow{Refusal::frame_header, "frame_header",
               "a known key of the frame's header has a value of the wrong type or size"},
    RefusalRow{Refusal::frame_trailing, "frame_trailing",
               "bytes follow the frame; one message is one frame"},
    RefusalRow{Refusal::frame_unnumbered, "frame_unnumbered",
               "the frame asks for a confirmation but has no client id or no sequence number"},
    RefusalRow{Refusal::frame_sequence_old, "frame_sequence_old",
               "the frame's sequence number is too old to tell whether the frame was taken"},
    RefusalRow{Refusal::frame_copies, "frame_copies",
               "the frame's events, one copy for each destination, exceed the spool's limit for a "
               "frame; send fewer events in each frame"},
    RefusalRow{Refusal::frame_refusals, "frame_refusals",
               "more than 4096 events of the frame break a rule"},
    RefusalRow{Refusal::event_shape, "event_shape",
               "the event is not an array of [topic, time, data, attributes?]"},
    RefusalRow{Refusal::event_topic, "event_topic",
               "the topic is not 1 to 255 bytes of [A-Za-z0-9_-] tokens joined by dots"},
    RefusalRow{Refusal::event_time, "event_time",
               "the time is neither nanoseconds since 1970 nor a msgpack timestamp since 1970"},
    RefusalRow{Refusal::event_too_large, "event_too_large",
               "the event has more bytes than ingest.event_bytes_max"},
    RefusalRow{
        Refusal::event_attributes, "event_attributes",
        "a known attribute of the event has a value of the wrong type or size, or its id has "
        "bytes other than visible ASCII"},
    RefusalRow{Refusal::event_scheduled, "event_scheduled",
               "the event has a delivery date (\"at\"), which needs a [spool]"},
    RefusalRow{Refusal::event_unrouted, "event_unrouted",
               "no destination takes the topic, and ingest.unrouted is refuse"},
    RefusalRow{Refusal::event_beyond_spool, "event_beyond_spool",
               "the event, one copy for each destination, exceeds the spool's limits: see "
               "spool.bytes_max, and spool_bytes_max of its destinations"},
    RefusalRow{
        Refusal::event_date, "event_date",
        "\"at\" is before the year 2000; it is nanoseconds since 1970, and this may be seconds "
        "or milliseconds"},
    RefusalRow{Refusal::spool_full, "spool_full",
               "the spool has reached spool.bytes_max; send the frame again later"},
    RefusalRow{Refusal::spool_failing, "spool_failing",
               "the spool cannot be written; send the frame again later"},
    RefusalRow{Refusal::stopping, "stopping",
               "the sidecar is shutting down; send the frame again later"},
    RefusalRow{Refusal::destination_full, "destination_full",
               "a destination of the event has reached its spool_bytes_max; send it again later"},
    RefusalRow{Refusal::disk_full, "disk_full",
               "the spool's disk is full, or has less than spool.free_bytes_min left; send the "
               "frame again later"},
};

/// The row of a refusal; `none` has the name "none".
constexpr RefusalRow describe(Refusal refusal) {
  for (const RefusalRow& row : refusals) {
    if (row.refusal == refusal) return row;
  }
  return {Refusal::none, "none", "nothing is wrong"};
}

}  // namespace outrider::proto
