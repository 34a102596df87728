// Frames and records as a client would send them, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/frame_writer.hpp"

namespace outrider::test {

/// `{"n": number}` as msgpack.
inline std::string numbered_data(std::uint64_t number) {
  std::string data("\x81\xa1n\xcf", 4);
  for (int shift = 56; shift >= 0; shift -= 8) data += static_cast<char>((number >> shift) & 0xff);
  return data;
}

/// One event; `attributes` is a msgpack map, or empty for none.
inline std::string event_bytes(std::string_view topic, std::uint64_t time_ns, std::string_view data,
                               std::string_view attributes = {}) {
  std::string event(proto::event_head_bytes_max(topic.size()), '\0');
  auto* begin = reinterpret_cast<std::uint8_t*>(event.data());
  const std::uint8_t* end =
      proto::write_event_head(begin, attributes.empty() ? 3 : 4, topic, time_ns);
  event.resize(static_cast<std::size_t>(end - begin));
  event += data;
  event += attributes;
  return event;
}

inline std::string frame_bytes(const std::vector<std::string>& events,
                               const proto::FrameHeaderFields& header = {}) {
  std::string frame = proto::frame_head(header, static_cast<std::uint32_t>(events.size()));
  for (const std::string& event : events) frame += event;
  return frame;
}

}  // namespace outrider::test
