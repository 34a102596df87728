#include "sidecar/admin/health.hpp"

#include <algorithm>
#include <array>

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t name_bytes_max = 64;

Health ok() {
  return {true, "ok"};
}

/// Whole seconds are enough for people.
std::string rounded(Duration duration) {
  return format_duration(std::chrono::ceil<std::chrono::seconds>(duration));
}

/// Why a destination cannot send; the one that lasts longest first.
struct Obstacle {
  bool (*is_there)(const DestinationSnapshot&);
  std::string (*text)(const DestinationSnapshot&);
};
const std::array obstacles = {
    Obstacle{[](const DestinationSnapshot& d) { return d.is_disabled; },
             [](const DestinationSnapshot&) {
               return std::string("is disabled: the receiver says that it is gone");
             }},
    Obstacle{[](const DestinationSnapshot& d) { return d.is_held; },
             [](const DestinationSnapshot&) {
               return std::string("is held: the receiver refuses the credentials");
             }},
    Obstacle{[](const DestinationSnapshot& d) { return d.pause.has_value(); },
             [](const DestinationSnapshot&) { return std::string("is paused by an operator"); }},
    Obstacle{[](const DestinationSnapshot& d) { return d.breaker != BreakerState::closed; },
             [](const DestinationSnapshot& d) {
               return "is down" + (d.open_for ? " for " + rounded(*d.open_for) : "") +
                      ": the circuit breaker is " +
                      (d.breaker == BreakerState::open ? "open" : "half open");
             }},
    Obstacle{[](const DestinationSnapshot& d) { return d.paused_for > Duration{}; },
             [](const DestinationSnapshot& d) {
               return "waits for " + rounded(*d.paused_for) + ": the receiver asked for it";
             }},
};

Health health_of(const DestinationSnapshot& destination) {
  for (const Obstacle& obstacle : obstacles) {
    if (!obstacle.is_there(destination)) continue;
    return {false, "destination " + destination.name + " " + obstacle.text(destination)};
  }
  return ok();
}

}  // namespace

Health health_of(const Snapshot* snapshot, Duration age) {
  if (snapshot == nullptr) return {false, "starting: the loop has not answered yet"};
  if (age > loop_silence_max) {
    return {false, "the loop is silent: its last figures are " + rounded(age) + " old"};
  }
  return ok();
}

Health readiness_of(const Snapshot* snapshot, Duration age, std::string_view destination) {
  Health health = health_of(snapshot, age);
  if (!health.is_good) return health;
  if (snapshot->phase != LifePhase::running) return {false, std::string(name_of(snapshot->phase))};
  if (destination.empty()) return ok();
  const auto found =
      std::ranges::find(snapshot->destinations, destination, &DestinationSnapshot::name);
  if (found == snapshot->destinations.end()) {
    return {false, "there is no destination \"" + printable(destination, name_bytes_max) + "\""};
  }
  return health_of(*found);
}

}  // namespace outrider::sidecar
