// Ledger: where every event that a destination accepted is at this moment.
//
//     accepted = delivered + dropped{reason} + dead{reason} + queued + in_flight + spooled +
//     scheduled
//
// Used by Destination and its spool lane, which keep it, and by reports and tests, which check it.
// Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace outrider::sidecar {

enum class DropReason : std::uint8_t {
  queue_full,       ///< when_full = drop_newest: the event came to a full queue
  evicted,          ///< when_full = drop_oldest: it made room for a newer one
  expired,          ///< older than its ttl when its turn came
  linger,           ///< still here when the linger time at shutdown was over
  sampled,          ///< sample: not one of those that are kept
  subscriber_full,  ///< fan-out: some subscriber was at its high-water mark and did not get it
  spool_full,       ///< the spool was at a limit, or the disk slower than the input
  spool_failed,     ///< the disk could not be written
  damaged,          ///< its block on disk cannot be read any more
  removed,          ///< a reload removed the destination, and this was not delivered or kept
};

struct DropReasonRow {
  DropReason reason;
  std::string_view name;
};
inline constexpr std::array drop_reasons = {
    DropReasonRow{DropReason::queue_full, "queue_full"},
    DropReasonRow{DropReason::evicted, "evicted"},
    DropReasonRow{DropReason::expired, "expired"},
    DropReasonRow{DropReason::linger, "linger"},
    DropReasonRow{DropReason::sampled, "sampled"},
    DropReasonRow{DropReason::subscriber_full, "subscriber_full"},
    DropReasonRow{DropReason::spool_full, "spool_full"},
    DropReasonRow{DropReason::spool_failed, "spool_failed"},
    DropReasonRow{DropReason::damaged, "damaged"},
    DropReasonRow{DropReason::removed, "removed"},
};

/// Why an event will never be taken, or is not tried any more.
enum class DeadReason : std::uint8_t {
  refused,     ///< the destination's answer says so
  too_large,   ///< alone, and still too large for a body or for the receiver
  unsendable,  ///< no request can be made of it
  attempts,    ///< tried too often
  age,         ///< tried for too long
  gone,        ///< the destination is disabled
};

struct DeadReasonRow {
  DeadReason reason;
  std::string_view name;
};
inline constexpr std::array dead_reasons = {
    DeadReasonRow{DeadReason::refused, "refused"},
    DeadReasonRow{DeadReason::too_large, "too_large"},
    DeadReasonRow{DeadReason::unsendable, "unsendable"},
    DeadReasonRow{DeadReason::attempts, "attempts"},
    DeadReasonRow{DeadReason::age, "age"},
    DeadReasonRow{DeadReason::gone, "gone"},
};

struct Ledger {
  std::uint64_t accepted = 0;
  std::uint64_t delivered = 0;
  std::array<std::uint64_t, drop_reasons.size()> dropped{};
  std::array<std::uint64_t, dead_reasons.size()> dead{};
  std::uint64_t queued = 0;     ///< waiting for the first or the next attempt
  std::uint64_t in_flight = 0;  ///< in a request that has no outcome yet
  std::uint64_t spooled = 0;    ///< on disk and not in memory
  std::uint64_t scheduled = 0;  ///< on disk until its time comes
  /// Of `accepted`: those that an earlier run left on disk, and dead letters that were put back.
  std::uint64_t recovered = 0;

  void drop(DropReason reason, std::uint64_t events) {
    dropped[static_cast<std::size_t>(reason)] += events;
  }
  std::uint64_t dropped_for(DropReason reason) const {
    return dropped[static_cast<std::size_t>(reason)];
  }
  std::uint64_t dropped_total() const;
  void bury(DeadReason reason, std::uint64_t events) {
    dead[static_cast<std::size_t>(reason)] += events;
  }
  std::uint64_t dead_for(DeadReason reason) const { return dead[static_cast<std::size_t>(reason)]; }
  std::uint64_t dead_total() const;
  /// Accepted events that will never arrive, except intended drops.
  std::uint64_t lost() const {
    return dropped_total() - dropped_for(DropReason::sampled) + dead_total();
  }
  bool is_balanced() const;
};

}  // namespace outrider::sidecar
