// DurationHistogram: how long something took, counted in eight buckets.
//
// Used by whatever is measured for the metrics; copied whole into a Snapshot. Plain values; one
// thread. Limits: the last bucket takes all that is longer than the bounds.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

struct DurationHistogram {
  static constexpr std::array<Duration, 7> bounds = {
      std::chrono::milliseconds(1),   std::chrono::milliseconds(10), std::chrono::milliseconds(100),
      std::chrono::milliseconds(500), std::chrono::seconds(2),       std::chrono::seconds(10),
      std::chrono::seconds(60)};

  std::array<std::uint64_t, bounds.size() + 1> counts{};  ///< not cumulative
  std::chrono::duration<double> sum{};                    ///< nanoseconds would wrap in days

  void add(Duration duration, std::uint64_t times = 1) {
    std::size_t bucket = 0;
    while (bucket < bounds.size() && duration > bounds[bucket]) ++bucket;
    counts[bucket] += times;
    sum += std::chrono::duration<double>(duration) * static_cast<double>(times);
  }
  std::uint64_t total() const {
    std::uint64_t all = 0;
    for (const std::uint64_t count : counts) all += count;
    return all;
  }
};

}  // namespace outrider::sidecar
