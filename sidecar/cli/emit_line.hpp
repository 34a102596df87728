// From JSON to the events that `outrider emit` sends. Pure functions; fails with an Error that says
// at which byte of the text something is wrong.
// base/json_document.hpp describes numbers and keys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

struct EmitEvent {
  std::string topic;
  std::string data;  ///< one msgpack value
  std::uint64_t time_ns = 0;
  std::string id{};
  std::string key{};
  std::string trace{};
  std::uint64_t at_ns = 0;
  std::uint64_t delay_ms =
      0;  ///< no line has it: the delay would count from the time when the line is read
  std::uint64_t ttl_ms = 0;
  std::uint64_t priority = 1;  ///< 0 low, 1 normal, 2 high
};

/// A date as RFC 3339 writes it, "2026-01-31T12:00:00.5Z" or with an offset as "+01:00", as
/// nanoseconds since 1970; from 2000 until April 2262.
Result<std::uint64_t> parse_date(std::string_view text);

/// One line of `outrider emit --stdin`: {"topic": TEXT, "data": ANYTHING}, and if wanted "time" and
/// "at" (nanoseconds since 1970, or text as above), "id", "key", "trace" (text),
/// "ttl" (milliseconds) and "pri" (0, 1 or 2).
Result<EmitEvent> read_emit_line(std::string_view line);

}  // namespace outrider::sidecar
