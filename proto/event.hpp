// The wire form of one event, and the limits of its parts (proto/README.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/bytes.hpp"

namespace outrider::proto {

inline constexpr std::size_t id_text_bytes_max = 64;
inline constexpr std::size_t id_binary_bytes = 16;
inline constexpr std::size_t key_bytes_max = 255;
inline constexpr std::size_t trace_bytes_max = 255;
inline constexpr std::size_t host_bytes_max = 255;
/// Earlier delivery dates are refused, earlier times are logged: they were given in another unit.
inline constexpr std::uint64_t year_2000_ns = 946'684'800'000'000'000;

/// A text id is 1 to 64 bytes of visible ASCII: it becomes a header of a request.
[[nodiscard]] constexpr bool is_id_text(std::string_view text) {
  if (text.empty() || text.size() > id_text_bytes_max) return false;
  for (const char c : text) {
    if (c <= 0x20 || c >= 0x7f) return false;
  }
  return true;
}

/// The order at a high-water mark: low is dropped first, high last.
enum class Priority : std::uint8_t { low = 0, normal = 1, high = 2 };

/// The optional part of an event. Empty views and zeros mean "not given".
struct Attributes {
  ByteView id{};  ///< 16 bytes, or 1 to 64 bytes of text
  bool id_is_text = false;
  std::string_view key{};    ///< ordering key
  std::string_view trace{};  ///< W3C traceparent
  std::uint64_t at_ns = 0;   ///< not before, since the Unix epoch
  std::uint64_t ttl_ms = 0;  ///< counted from the event's time
  Priority priority = Priority::normal;
};

/// Views into the frame it was read from.
struct EventView {
  std::string_view topic{};
  std::uint64_t time_ns = 0;  ///< since the Unix epoch; 0: when the sidecar gets it
  ByteView data{};            ///< one msgpack value, checked for structure
  Attributes attributes{};
};

}  // namespace outrider::proto
