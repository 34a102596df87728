// RateMeter: how much a second, over the last minute, of amounts that are counted anyway.
//
// Used by Destination, which notes its counts once a turn and needs no timer: what nobody noted did
// not happen. Amounts share one clock, so that their rates compare.
// Thread: one meter, one thread. Plain state. Limits: seven slots of ten seconds; the oldest is
// forgotten whole, so a rate is that of the last 60 to 70 seconds, or of all time if that is less.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

template <std::size_t amounts>
class RateMeter {
 public:
  using Counts = std::array<std::uint64_t, amounts>;
  using Rates = std::array<double, amounts>;

  static constexpr Duration slot = std::chrono::seconds(10);
  static constexpr std::size_t slots = 7;

  /// The counts since the beginning; none of them has fallen.
  void note(const Counts& counts, const Now& now) {
    if (now.mono >= slot_end_) advance(now);
    Counts& current = slots_[current_];
    for (std::size_t i = 0; i < amounts; ++i) current[i] += counts[i] - last_[i];
    last_ = counts;
  }

  /// After note() in the same turn.
  Rates per_s(const Now& now) const {
    const MonoTime since = std::max(began_at_, slot_end_ - slot * static_cast<int>(slots));
    const Duration time = std::max<Duration>(now.mono - since, std::chrono::seconds(1));
    Rates rates{};
    for (const Counts& counts : slots_) {
      for (std::size_t i = 0; i < amounts; ++i) rates[i] += static_cast<double>(counts[i]);
    }
    for (double& rate : rates) rate /= std::chrono::duration<double>(time).count();
    return rates;
  }

 private:
  void advance(const Now& now) {
    if (slot_end_ == MonoTime::min()) {
      began_at_ = now.mono;
      slot_end_ = now.mono + slot;
      return;
    }
    const auto passed = (now.mono - slot_end_) / slot + 1;
    slot_end_ += passed * slot;
    for (auto left = std::min(passed, static_cast<Duration::rep>(slots)); left > 0; --left) {
      current_ = (current_ + 1) % slots;
      slots_[current_] = {};
    }
  }

  std::array<Counts, slots> slots_{};
  Counts last_{};
  std::size_t current_ = 0;
  MonoTime began_at_{};
  MonoTime slot_end_ = MonoTime::min();
};

}  // namespace outrider::sidecar
