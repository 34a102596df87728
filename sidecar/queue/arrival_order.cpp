#include "sidecar/queue/arrival_order.hpp"

#include <algorithm>
#include <utility>

namespace outrider::sidecar {
namespace {

/// Fewer runs than these are not worth looking through.
constexpr std::size_t runs_kept = 64;

}  // namespace

void ArrivalOrder::add(std::size_t fifo) {
  ++events_;
  if (!runs_.empty() && runs_.back().fifo == fifo && runs_.back().events < UINT32_MAX) {
    ++runs_.back().events;
    return;
  }
  if (runs_.size() > 2 * events_ + runs_kept) compact();
  runs_.push_back({1, static_cast<std::uint32_t>(fifo)});
}

void ArrivalOrder::remove(std::size_t fifo) {
  std::uint64_t& at = first_[fifo];
  at = std::max(at, popped_);
  const auto run = [this](std::uint64_t number) -> Run& { return runs_[number - popped_]; };
  while (run(at).fifo != fifo || run(at).events == 0) ++at;
  --run(at).events;
  --events_;
  while (!runs_.empty() && runs_.front().events == 0) {
    runs_.pop_front();
    ++popped_;
  }
}

/// Evicting the events after one that stays leaves empty runs.
void ArrivalOrder::compact() {
  for (const Run& run : std::exchange(runs_, {})) {
    if (run.events > 0) runs_.push_back(run);
  }
  popped_ = 0;
  first_ = {};
}

}  // namespace outrider::sidecar
