#include "sidecar/observe/time_to_loss.hpp"

#include <algorithm>

namespace outrider::sidecar {

double left_of(std::uint64_t max, std::uint64_t used) {
  return static_cast<double>(max - std::min(max, used));
}

void shorten(std::optional<TimeToLoss>& shortest, const Room& room) {
  if (room.growth_per_s <= 0) return;
  using Seconds = std::chrono::duration<double>;
  const Seconds time =
      std::min(Seconds(room.left / room.growth_per_s), Seconds(longest_time_to_loss));
  const auto left = std::chrono::duration_cast<Duration>(time);
  if (!shortest || left < shortest->left) shortest = {left, room.limit};
}

}  // namespace outrider::sidecar
