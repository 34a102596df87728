// ArrivalOrder: which of several fifos holds the oldest event, the next, and so on, as runs: "this
// many in a row from that fifo". It costs 8 bytes for each change of fifo.
//
// Used by EventQueue. Thread: one, with its queue. Plain state. Limits: as many runs as waiting
// events, and as many again that are used up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace outrider::sidecar {

class ArrivalOrder {
 public:
  static constexpr std::size_t fifos_max = 8;

  bool is_empty() const { return events_ == 0; }
  /// The fifo of the oldest event; there is one.
  std::size_t front() const { return runs_.front().fifo; }

  /// An event was appended to this fifo.
  void add(std::size_t fifo);
  /// The oldest event of this fifo has left.
  void remove(std::size_t fifo);

  std::size_t runs() const { return runs_.size(); }

 private:
  /// So many events in a row came to the same fifo and are still there.
  struct Run {
    std::uint32_t events;
    std::uint32_t fifo;
  };

  void compact();

  std::deque<Run> runs_;  ///< the first is not used up
  std::uint64_t events_ = 0;
  std::uint64_t popped_ = 0;
  /// Number of the run, counted from the very first, before which the fifo has none left.
  std::array<std::uint64_t, fifos_max> first_{};
};

}  // namespace outrider::sidecar
