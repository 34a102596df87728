// ProcessUsage: the figures about the process that every Prometheus client library has.
//
// Used by format_metrics. Reads /proc/self and the limits of the process. Thread: any.
// Errors: a figure that cannot be read is empty. Limits: one descriptor, for the moment of a read.
#pragma once

#include <cstdint>
#include <optional>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

struct ProcessUsage {
  std::optional<Duration> cpu_time;  ///< user and kernel, of all threads
  std::optional<std::uint64_t> resident_memory_bytes;
  std::optional<std::uint64_t> virtual_memory_bytes;
  std::optional<std::uint64_t> open_fds;
  std::optional<std::uint64_t> max_fds;
  std::optional<WallTime> start_time;
};

ProcessUsage read_process_usage();

}  // namespace outrider::sidecar
