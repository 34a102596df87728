// TurnBudget: how much input one turn processes, so that delivery, the clock and a stop get their
// share.
//
// Used by IngestAgent and ConfirmAgent. Both limits end a turn, inside a frame too: an event that
// goes to many destinations costs a copy for each, which is most of its work. A plain value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace outrider::sidecar {

class TurnBudget {
 public:
  static constexpr std::uint64_t events_max = 10'000;
  /// Some 30 ms. With fewer, many destinations get small batches.
  static constexpr std::uint64_t copies_max = 100'000;

  bool is_spent() const { return events_left_ == 0 || copies_left_ == 0; }

  /// For one event, taken or refused; not when it is spent. `copies`: one for each destination, or
  /// as many as cost the same time.
  void spend(std::uint64_t copies) {
    --events_left_;
    copies_left_ -= std::min(copies_left_, copies);
  }

 private:
  std::uint64_t events_left_ = events_max;
  std::uint64_t copies_left_ = copies_max;
};

}  // namespace outrider::sidecar
