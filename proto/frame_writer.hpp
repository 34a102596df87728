// Writing events and frames.
//
// Used by the SDK's emit path and by tests. An event's data is msgpack already (msgpack-c packs it
// in the caller); these functions put topic, time and frame header around it. They write to memory
// that the caller has sized with the matching *_bytes_max, allocate nothing and cannot fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "proto/bytes.hpp"

namespace outrider::proto {

/// The largest frame of the SDK, unless the application or one event wants more. `emit` has no
/// answer, so every sidecar must accept this size.
inline constexpr std::uint32_t sdk_frame_bytes = 256U << 10U;

/// Most bytes that write_event_head can write for a topic of this size.
constexpr std::size_t event_head_bytes_max(std::size_t topic_bytes) {
  return 1 + 2 + topic_bytes + 9;
}

/// Writes `[topic, time, ` (an event of `element_count` elements, 3 or 4); data and attributes
/// follow. Returns the end of what it wrote.
std::uint8_t* write_event_head(std::uint8_t* out, std::uint32_t element_count,
                               std::string_view topic, std::uint64_t time_ns);

struct FrameHeaderFields {
  ByteView client_id{};
  std::uint64_t sequence = 0;
  std::string_view host{};
  std::uint64_t pid = 0;
  std::string_view library{};
  const std::map<std::string, std::uint64_t, std::less<>>* drops = nullptr;
};

/// `[1, header, [` for `event_count` events; the events follow. Fields that are empty or zero are
/// left out.
std::string frame_head(const FrameHeaderFields& fields, std::uint32_t event_count);

}  // namespace outrider::proto
