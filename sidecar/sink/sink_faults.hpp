// SinkFaults: decides which request of `outrider sink` is answered with a fault.
// The same plan and seed give the same decisions in the same order. Thread: its owner's.
#pragma once

#include <cstdint>

#include "sidecar/base/random.hpp"

namespace outrider::sidecar {

struct FaultPlan {
  int status = 200;              ///< the answer to every other request
  int fail_status = 503;         ///< the answer to a request that fails
  double fail_rate = 0;          ///< the share of the requests that fails
  std::uint64_t fail_first = 0;  ///< this many requests fail first
};

class SinkFaults {
 public:
  SinkFaults(const FaultPlan& plan, std::uint64_t seed) : plan_(plan), random_(seed) {}

  /// The status with which the next request is to be answered.
  int next_status() {
    if (failed_first_ < plan_.fail_first) {
      ++failed_first_;
      return plan_.fail_status;
    }
    if (plan_.fail_rate > 0 && random_.chance(plan_.fail_rate)) return plan_.fail_status;
    return plan_.status;
  }

 private:
  FaultPlan plan_;
  Random random_;
  std::uint64_t failed_first_ = 0;
};

}  // namespace outrider::sidecar
