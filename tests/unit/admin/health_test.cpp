#include "sidecar/admin/health.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Snapshot running() {
  Snapshot snapshot;
  snapshot.phase = LifePhase::running;
  snapshot.destinations.emplace_back().name = "a";
  snapshot.destinations.emplace_back().name = "b";
  return snapshot;
}

/// Everything that can be wrong with one destination.
struct Trouble {
  void (*make)(DestinationSnapshot&);
  std::string_view reason;
};
const std::vector<Trouble> troubles = {
    {[](DestinationSnapshot& d) { d.is_disabled = true; },
     "destination a is disabled: the receiver says that it is gone"},
    {[](DestinationSnapshot& d) { d.is_held = true; },
     "destination a is held: the receiver refuses the credentials"},
    {[](DestinationSnapshot& d) { d.pause = PauseSnapshot{}; },
     "destination a is paused by an operator"},
    {[](DestinationSnapshot& d) {
       d.breaker = BreakerState::open;
       d.open_for = 89'001ms;
     },
     "destination a is down for 90s: the circuit breaker is open"},
    {[](DestinationSnapshot& d) { d.breaker = BreakerState::half_open; },
     "destination a is down: the circuit breaker is half open"},
    {[](DestinationSnapshot& d) { d.paused_for = 30s; },
     "destination a waits for 30s: the receiver asked for it"},
};

TEST(Health, IsGoodWhileTheLoopAnswers) {
  const Snapshot snapshot = running();
  EXPECT_TRUE(health_of(&snapshot, 0s).is_good);
  EXPECT_TRUE(health_of(&snapshot, 2s).is_good);
  EXPECT_EQ(health_of(&snapshot, 2s).reason, "ok");
}

TEST(Health, IsBadOnceTheLoopIsSilent) {
  const Snapshot snapshot = running();
  const Health health = health_of(&snapshot, 2s + 1ns);
  EXPECT_FALSE(health.is_good);
  EXPECT_EQ(health.reason, "the loop is silent: its last figures are 3s old");
}

TEST(Health, IsBadBeforeTheFirstAnswer) {
  EXPECT_FALSE(health_of(nullptr, 0s).is_good);
  EXPECT_THAT(health_of(nullptr, 0s).reason, HasSubstr("starting"));
}

TEST(Health, IsGoodInEachPhase) {
  Snapshot snapshot = running();
  for (const LifePhase phase : {LifePhase::starting, LifePhase::running, LifePhase::stopping}) {
    snapshot.phase = phase;
    EXPECT_TRUE(health_of(&snapshot, 0s).is_good) << name_of(phase);
  }
}

TEST(Readiness, IsGoodOnlyWhileRunning) {
  Snapshot snapshot = running();
  for (const LifePhase phase :
       {LifePhase::starting, LifePhase::running, LifePhase::stopping, LifePhase::stopped}) {
    snapshot.phase = phase;
    const Health readiness = readiness_of(&snapshot, 0s, "");
    EXPECT_EQ(readiness.is_good, phase == LifePhase::running);
    EXPECT_EQ(readiness.reason, phase == LifePhase::running ? "ok" : name_of(phase));
  }
}

TEST(Readiness, IsBadWhereHealthIs) {
  const Snapshot snapshot = running();
  EXPECT_FALSE(readiness_of(nullptr, 0s, "").is_good);
  EXPECT_FALSE(readiness_of(&snapshot, 1min, "").is_good);
  EXPECT_FALSE(readiness_of(&snapshot, 1min, "a").is_good);
}

TEST(Readiness, ADestinationInTroubleFailsOnlyWhoAsksForIt) {
  for (const Trouble& trouble : troubles) {
    SCOPED_TRACE(trouble.reason);
    Snapshot snapshot = running();
    trouble.make(snapshot.destinations[0]);
    EXPECT_TRUE(health_of(&snapshot, 0s).is_good);
    EXPECT_TRUE(readiness_of(&snapshot, 0s, "").is_good);
    EXPECT_TRUE(readiness_of(&snapshot, 0s, "b").is_good);
    const Health strict = readiness_of(&snapshot, 0s, "a");
    EXPECT_FALSE(strict.is_good);
    EXPECT_EQ(strict.reason, trouble.reason);
  }
}

TEST(Readiness, AnAbsentDestinationIsNotReady) {
  const Snapshot snapshot = running();
  const Health readiness = readiness_of(&snapshot, 0s, "c\n" + std::string(100, 'x'));
  EXPECT_FALSE(readiness.is_good);
  EXPECT_THAT(readiness.reason, HasSubstr("there is no destination \"c\\x0a"));
  EXPECT_LT(readiness.reason.size(), 120U);
}

TEST(Readiness, AWaitThatIsOverIsNone) {
  Snapshot snapshot = running();
  snapshot.destinations[0].paused_for = 0s;
  EXPECT_TRUE(readiness_of(&snapshot, 0s, "a").is_good);
}

}  // namespace
}  // namespace outrider::sidecar
