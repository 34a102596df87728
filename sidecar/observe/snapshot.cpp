#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

std::string_view name_of(LifePhase phase) {
  switch (phase) {
    case LifePhase::starting:
      return "starting";
    case LifePhase::running:
      return "running";
    case LifePhase::stopping:
      return "stopping";
    case LifePhase::stopped:
      return "stopped";
  }
  return "";
}

std::string_view name_of(BreakerState state) {
  switch (state) {
    case BreakerState::closed:
      return "closed";
    case BreakerState::open:
      return "open";
    case BreakerState::half_open:
      return "half_open";
  }
  return "";
}

std::string_view name_of(StatusClass status_class) {
  switch (status_class) {
    case StatusClass::none:
      return "none";
    case StatusClass::informational:
      return "1xx";
    case StatusClass::success:
      return "2xx";
    case StatusClass::redirect:
      return "3xx";
    case StatusClass::client:
      return "4xx";
    case StatusClass::server:
      return "5xx";
  }
  return "";
}

std::string_view name_of(LossLimit limit) {
  switch (limit) {
    case LossLimit::queue_events:
      return "queue_events_max";
    case LossLimit::queue_bytes:
      return "queue_bytes_max";
    case LossLimit::lane_bytes:
      return "spool_bytes_max";
    case LossLimit::spool_bytes:
      return "spool.bytes_max";
    case LossLimit::disk_free:
      return "spool.free_bytes_min";
  }
  return "";
}

}  // namespace outrider::sidecar
