// The answer to a confirmed frame: `[1, "c", sequence, status, {index: refusal}, said]`.
//
// Written by the sidecar's confirm endpoint, read by the SDK (proto/README.md). Pure functions;
// the reader accepts any bytes, allocates no more than they justify and returns false for bad ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/bytes.hpp"

namespace outrider::proto {

/// The sidecar remembers which of a client's last sequence numbers, this many, it took. A client
/// keeps the distance from its lowest unanswered frame to its highest sent one below this.
inline constexpr std::uint64_t confirm_window_frames = 4096;

/// An answer names no more events than this; a frame in which more events break a rule is refused
/// as a whole.
inline constexpr std::size_t refused_events_max = 4096;

/// One event of a frame that was taken without it.
struct RefusedEvent {
  std::uint32_t index;    ///< in the frame, from 0
  std::uint32_t refusal;  ///< never 0; a number that Refusal may not know yet
  bool operator==(const RefusedEvent&) const = default;
};

/// The sidecar's limits; 0: not announced.
struct SaidLimits {
  std::uint64_t frame_bytes_max = 0;  ///< "f"
  std::uint64_t event_bytes_max = 0;  ///< "e"
  bool operator==(const SaidLimits&) const = default;
};

/// The topics that one destination takes.
struct TopicSet {
  std::vector<std::string> topics{};   ///< patterns of which one must match
  std::vector<std::string> exclude{};  ///< patterns of which none may match

  bool holds(std::string_view topic) const;
  bool operator==(const TopicSet&) const = default;
};

/// All patterns that an answer names, together; destinations beyond this limit are not named.
inline constexpr std::size_t said_patterns_bytes_max = 4096;

struct ConfirmAnswer {
  std::uint64_t sequence = 0;           ///< the frame's "s", from 1
  std::uint64_t status = 0;             ///< 0: taken and recoverable; else a Refusal, none taken
  std::vector<RefusedEvent> refused{};  ///< ascending by index, each index once
  SaidLimits limits{};
  /// "x": destinations that are full, where an event was refused for that.
  std::vector<TopicSet> full{};
  bool operator==(const ConfirmAnswer&) const = default;
};

std::string write_confirm_answer(const ConfirmAnswer& answer);

/// False if the bytes are not exactly one answer of this version.
[[nodiscard]] bool read_confirm_answer(ByteView bytes, ConfirmAnswer& answer);

}  // namespace outrider::proto
