// App, spool and storage agent over the storage twin, under a false clock, false clients and a
// false outside world, through many lives of the sidecar, from a seed.
//
// Both agents are turned by one loop in random order, and the storage agent may lag. The sidecar is
// stopped, killed at any point, and loses its power; the disk fails, is full, over its quota,
// damaged, locked or read by others, or cannot be opened for want of descriptors; files are deleted
// and replaced; weeks pass and clocks are wrong between two runs, and the configuration is another;
// schedules make their runs; clients send again what was not answered. The oracle knows every event
// by its id: what was confirmed, or was ever seen on disk, is delivered, dead, expired or on disk,
// at every quiet moment and at the end; nothing is taken twice; what has one key comes in the order
// in which it came to the sidecar; each run of a schedule comes once, or was missed for a reason. A
// failure prints its seed; OUTRIDER_SIM_SEED=N runs that one alone, OUTRIDER_SIM_SEEDS=N that many.

#include "sim/spool_simulation.hpp"

namespace outrider::sidecar {

// In place of the empty one.
void fault_point(const char*) {
  if (at_fault_point) at_fault_point();
}

namespace {

TEST(SpoolSimulation, NothingConfirmedIsLostThroughCrashesAndFailures) {
  test::for_each_seed(50, [](std::uint64_t seed) { SpoolSimulation(seed).run(); });
}

}  // namespace
}  // namespace outrider::sidecar
