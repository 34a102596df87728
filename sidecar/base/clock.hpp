// The two clocks, read together and injected: `mono` for everything that waits or measures, `wall`
// only for dates. Agents get the Now of their turn as an argument and read no clock themselves.
// Used by everything that depends on time. Tests use support/manual_clock.hpp.
#pragma once

#include <chrono>
#include <cstdint>

namespace outrider::sidecar {

using Duration = std::chrono::nanoseconds;
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

/// "Not waiting for anything."
inline constexpr MonoTime never = MonoTime::max();

struct Now {
  MonoTime mono;
  WallTime wall;

  std::uint64_t wall_ns() const {
    return static_cast<std::uint64_t>(wall.time_since_epoch().count());
  }
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Now now() const = 0;
};

/// The machine's clocks. Safe to use from any thread.
class SystemClock final : public Clock {
 public:
  Now now() const override;
};

}  // namespace outrider::sidecar
