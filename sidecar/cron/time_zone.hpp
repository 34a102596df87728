// TimeZone: converts between instants and wall times, with the time zones of the system (tzdata).
//
// Used by CronExpression and by the configuration, which checks the name. Only its source file
// includes cctz (docs/decisions.md gives the reasons for cctz). A process reads each zone once and
// keeps it: a new tzdata takes effect at the next start. Thread: immutable values, cheap to copy.
// Fails with: an Error when the system has no such zone, also for "local": $TZ may hold rules
// (CET-1CEST) or a name that is not a zone.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

/// An instant, and the wall time in some zone; both in whole seconds.
using Instant = std::chrono::sys_seconds;
using WallClock = std::chrono::local_seconds;

/// A time in which one offset from UTC holds, up to the next change of the zone's clocks.
struct ZoneSpan {
  Instant begin;  ///< the change that it begins with; without one tens of thousands of years ago
  Instant end;    ///< the next change, not within the span; without one as far ahead
  std::chrono::seconds offset;
  std::chrono::seconds offset_before;  ///< that held until `begin`

  WallClock wall(Instant instant) const { return WallClock((instant + offset).time_since_epoch()); }
  Instant instant(WallClock wall) const { return Instant(wall.time_since_epoch()) - offset; }
  /// The time that the clocks would show at the beginning without the change.
  WallClock wall_before() const { return WallClock((begin + offset_before).time_since_epoch()); }
};

class TimeZone {
 public:
  /// "Europe/Berlin", "UTC"; "local" is the zone of the machine ($TZ, or else /etc/localtime).
  static Result<TimeZone> load(std::string_view name);

  ZoneSpan span_at(Instant instant) const;

  /// 2026-03-29T03:00:00+02:00
  std::string text(Instant instant) const;

 private:
  struct Data;
  explicit TimeZone(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

  std::shared_ptr<const Data> data_;
};

}  // namespace outrider::sidecar
