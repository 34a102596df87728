// App, spool and storage agent over the storage twin, under a false clock, false clients and a
// false outside world, through many lives of the sidecar, from a seed.
//
// Both agents are turned by one loop in random order, and the storage agent may lag. The sidecar is
// stopped, killed at any point, and loses its power; the disk fails, is full and is damaged;
// clients send again what was not answered. The oracle knows every event ever sent: what was
// confirmed is delivered, dead, expired or on disk, at every quiet moment and at the end; nothing
// is taken twice. A failure prints its seed; OUTRIDER_SIM_SEED=N runs that one alone,
// OUTRIDER_SIM_SEEDS=N that many.

#include "sim/spool_simulation.hpp"

namespace outrider::sidecar {

// In place of the empty one.
void fault_point(const char*) {
  if (at_fault_point) at_fault_point();
}

namespace {

TEST(SpoolSimulation, NothingConfirmedIsLostThroughCrashesAndFailures) {
  const std::uint64_t only = test::from_environment("OUTRIDER_SIM_SEED", 0);
#ifdef OUTRIDER_SANITIZED
  constexpr std::uint64_t seeds = 5;  // each takes ten times as long
#else
  constexpr std::uint64_t seeds = 50;
#endif
  const std::uint64_t count = only != 0 ? 1 : test::from_environment("OUTRIDER_SIM_SEEDS", seeds);
  const std::uint64_t first = test::from_environment("OUTRIDER_SIM_FIRST", 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t seed = only != 0 ? only : first + i;
    SpoolSimulation(seed).run();
    ASSERT_FALSE(HasFailure()) << "run it again with OUTRIDER_SIM_SEED=" << seed;
  }
}

}  // namespace
}  // namespace outrider::sidecar
