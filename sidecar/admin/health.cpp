#include "sidecar/admin/health.hpp"

namespace outrider::sidecar {

Health health_of(const Snapshot* snapshot, Duration age) {
  if (snapshot == nullptr) return {false, "starting"};
  if (age > loop_silence_max) return {false, "the loop is silent"};
  return {true, "ok"};
}

Health readiness_of(const Snapshot* snapshot, Duration age, std::string_view /*destination*/) {
  return health_of(snapshot, age);
}

}  // namespace outrider::sidecar
