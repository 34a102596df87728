// RetryBudget: retries are at most a share of the requests, so that a receiver in trouble does not
// get more work than a healthy one. Ten a second are always allowed.
//
// Used by Pacer. Thread: one budget, one thread. Plain state.
#pragma once

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

class RetryBudget {
 public:
  explicit RetryBudget(double share_max) { use(share_max); }

  /// Another share, from here on.
  void use(double share_max);

  /// When the next retry may go.
  MonoTime free_at() const;

  /// A first attempt goes out, and pays for a part of a retry.
  void earn();

  /// A retry goes out.
  void spend(const Now& now);

 private:
  bool is_unlimited_ = false;
  double earned_by_first_ = 0;
  double earned_ = 0;    ///< retries that first attempts have paid for
  MonoTime floor_at_{};  ///< when the next retry without budget may go
};

}  // namespace outrider::sidecar
