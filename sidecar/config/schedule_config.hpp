// ScheduleConfig: everything that one [schedule.NAME] section can say, checked and final.
//
// Used by sidecar/schedule. The rows that parse, document and explain these fields are in
// options.cpp; the defaults are only here. Thread: plain values, immutable after loading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "proto/event.hpp"
#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

/// The name begins the ids of the events, which have at most 64 bytes.
inline constexpr std::size_t schedule_name_bytes_max = 40;

/// The fate of runs that were due while no sidecar ran.
enum class MissedRuns : std::uint8_t {
  skip,  ///< they are left out
  once,  ///< the newest of them replaces all
  all,   ///< each is made up for, the newest `missed_max` of them
};

struct ScheduleConfig {
  std::string name;
  std::string cron;              ///< a CronExpression
  std::string timezone = "UTC";  ///< a TimeZone
  std::string topic;
  std::string data = "null";  ///< JSON
  std::string key;
  proto::Priority priority = proto::Priority::normal;
  Duration ttl = Duration::zero();  ///< 0: none
  MissedRuns missed = MissedRuns::once;
  std::uint64_t missed_max = 100;
};

}  // namespace outrider::sidecar
