// LineLimit: at most one line of a kind in an interval, however often its cause happens.
//
// Used by the logs of the modules, one for each kind of line. What happens in between is the log's
// to count. Thread: its owner's.
#pragma once

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

class LineLimit {
 public:
  explicit LineLimit(Duration interval = std::chrono::seconds(10)) : interval_(interval) {}

  /// Whether a line may be written now. If so, the caller writes it.
  bool take(const Now& now) {
    if (now.mono < next_line_) return false;
    next_line_ = now.mono + interval_;
    return true;
  }

  /// When the next line may be written.
  MonoTime next_line() const { return next_line_; }

 private:
  Duration interval_;
  MonoTime next_line_{};
};

}  // namespace outrider::sidecar
