#include "sidecar/admin/metrics.hpp"

namespace outrider::sidecar {

std::string format_metrics(const Snapshot& /*snapshot*/, Duration /*age*/) {
  return {};
}

}  // namespace outrider::sidecar
