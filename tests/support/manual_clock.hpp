// A clock that stands still until the test moves it.
#pragma once

#include "sidecar/base/clock.hpp"

namespace outrider::test {

class ManualClock final : public sidecar::Clock {
 public:
  sidecar::Now now() const override { return now_; }

  void advance(sidecar::Duration by) {
    now_.mono += by;
    now_.wall += by;
  }
  void jump_wall(sidecar::Duration by) { now_.wall += by; }

 private:
  // 2026-01-31T12:00:00Z; the monotonic clock begins elsewhere, as real ones do.
  sidecar::Now now_{sidecar::MonoTime(std::chrono::seconds(1000)),
                    sidecar::WallTime(std::chrono::seconds(1'769'860'800))};
};

}  // namespace outrider::test
