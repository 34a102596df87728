#include "sidecar/base/ledger.hpp"

#include <numeric>

namespace outrider::sidecar {

std::uint64_t Ledger::dropped_total() const {
  return std::accumulate(dropped.begin(), dropped.end(), std::uint64_t{0});
}

std::uint64_t Ledger::dead_total() const {
  return std::accumulate(dead.begin(), dead.end(), std::uint64_t{0});
}

bool Ledger::is_balanced() const {
  return accepted ==
         delivered + dropped_total() + dead_total() + queued + in_flight + spooled + scheduled;
}

}  // namespace outrider::sidecar
