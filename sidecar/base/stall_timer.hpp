// StallTimer: when to log that an operation hangs. An operation that neither ends nor fails is no
// failure, so nothing else would log it.
//
// Used by Destination (writes) and Spool (the disk), which write the lines. Thread: the sidecar's
// one. Limits: one line once the operation has lasted for stalled_after, one every
// reminder_interval, one when it has ended.
#pragma once

#include <optional>
#include <utility>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

class StallTimer {
 public:
  static constexpr Duration stalled_after = std::chrono::seconds(30);
  static constexpr Duration reminder_interval = std::chrono::minutes(10);

  /// The operation begins, or shows a sign of life.
  void start(const Now& now) {
    since_ = now.mono;
    next_line_ = since_ + stalled_after;
  }

  /// The operation has ended. A duration: a line has said that it hangs, and it took so long.
  std::optional<std::chrono::seconds> stop(const Now& now) {
    next_line_ = never;
    if (!std::exchange(is_told_, false)) return std::nullopt;
    return elapsed(now);
  }

  /// A duration: the operation hangs for so long, and the caller writes a line.
  std::optional<std::chrono::seconds> take_line(const Now& now) {
    if (now.mono < next_line_) return std::nullopt;
    next_line_ = now.mono + reminder_interval;
    is_told_ = true;
    return elapsed(now);
  }

  /// When a line is due, or `never`.
  MonoTime next_line() const { return next_line_; }

 private:
  std::chrono::seconds elapsed(const Now& now) const {
    return std::chrono::floor<std::chrono::seconds>(now.mono - since_);
  }

  MonoTime since_{};
  MonoTime next_line_ = never;
  bool is_told_ = false;
};

}  // namespace outrider::sidecar
