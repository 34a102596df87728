#include "sidecar/net/intake.hpp"

#include <utility>

namespace outrider::sidecar {

std::uint64_t Intake::waiting() const {
  const std::uint64_t taken = taken_.load(std::memory_order_relaxed);
  const std::uint64_t arrived = arrived_.load(std::memory_order_relaxed);
  return arrived > taken ? arrived - taken : 0;
}

void Intake::take(std::uint64_t part_bytes) {
  const std::uint64_t taken = taken_.load(std::memory_order_relaxed) + memory_of_part(part_bytes);
  taken_.store(std::min(taken, arrived_.load(std::memory_order_relaxed)),
               std::memory_order_relaxed);
}

void Intake::take_all() {
  taken_.store(arrived_.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

bool Intake::has_room(std::uint64_t share) const {
  switch (bound_) {
    case Bound::none:
      break;
    case Bound::room:
      return waiting() < share * room_bytes();
    case Bound::turn:
      return waiting() < turn_bytes || owners_.load(std::memory_order_relaxed) == 0;
  }
  return true;
}

void Intake::begin_connection() {
  if (bound_ == Bound::turn) add(turn_bytes);
}

bool Intake::end_connection() {
  if (!has_room(1)) return bound_ != Bound::turn;
  begin_connection();
  return true;
}

void Intake::settle() {
  settle_at(std::chrono::steady_clock::now());
}

void Intake::settle_at(MonoTime now) {
  if (now < settled_at_ + settle_period) return;
  settled_at_ = now;
  const std::uint64_t taken = taken_.load(std::memory_order_relaxed);
  const std::uint64_t before =
      std::exchange(arrived_before_, arrived_.load(std::memory_order_relaxed));
  taken_.store(std::max(taken, before), std::memory_order_relaxed);
}

}  // namespace outrider::sidecar
