// TimeToLoss: how long it takes until the first event is lost for want of room.
//
// Used by Destination for its own limits and by SnapshotTaker for those that all share. The rule:
//
//   - A limit counts if reaching it loses events: queue_events_max and queue_bytes_max if events
//     are emitted and do not go to disk when the queue is full; the destination's spool_bytes_max,
//     the spool's bytes_max and its free_bytes_min if events go there.
//   - It fills at the rate of the last minute. While the destination cannot send (its breaker is
//     open, credentials are refused, it asks for a pause, an operator paused it, it is gone)
//     nothing leaves, whatever left in that minute. Else what was delivered or became a dead letter
//     in that minute is subtracted.
//   - Left is the room of today divided by that. The smallest counts. Where events go to disk, the
//     room in memory before it is not counted.
//   - All destinations together fill the shared limits of the spool.
//
// Pure functions. Limits: `longest` is the longest reported time.
#pragma once

#include <chrono>
#include <optional>

#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

inline constexpr Duration longest_time_to_loss = std::chrono::hours(7 * 24);

/// The rest of a limit, and how much of it is used up in a second.
struct Room {
  LossLimit limit{};
  double left = 0;
  double growth_per_s = 0;
};

/// From `used` of `max`; nothing is left beyond it.
double left_of(std::uint64_t max, std::uint64_t used);

/// Takes the room's time into `shortest` if it is less; of two equal ones the first counts.
void shorten(std::optional<TimeToLoss>& shortest, const Room& room);

}  // namespace outrider::sidecar
