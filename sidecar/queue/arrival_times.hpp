// ArrivalTimes: when each event of a fifo came, as runs: "so many in a row at that time".
//
// Used by EventQueue, one for each fifo. Events of one turn share a run. One that comes later
// shares it as well, and counts as older than it is, if the difference is less than a 1/resolution
// of the time that the fifo spans by then; so a fifo that is emptied now and then is exact. Thread:
// one, with its queue. Plain state. Limits: 16 bytes a run; a fifo that spans a day has some 2000
// runs at most, however many events it holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

class ArrivalTimes {
 public:
  static constexpr int resolution = 64;

  bool is_empty() const { return first_ == runs_.size(); }
  /// When the oldest event came; there is one.
  MonoTime front() const { return runs_[first_].at; }

  /// An event was appended. One from before the last counts as that.
  void add(MonoTime at) {
    if (!is_empty() && (at - runs_.back().at) * resolution <= at - front()) {
      ++runs_.back().events;
    } else {
      runs_.push_back({at, 1});
    }
  }

  /// The oldest event has left.
  void remove() {
    if (--runs_[first_].events == 0) forget_first();
  }

  std::size_t runs() const { return runs_.size() - first_; }

 private:
  struct Run {
    MonoTime at;
    std::uint64_t events;
  };

  void forget_first();

  std::vector<Run> runs_;
  std::size_t first_ = 0;  ///< those before it are used up
};

}  // namespace outrider::sidecar
