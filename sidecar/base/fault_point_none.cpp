#include "sidecar/base/fault_point.hpp"

namespace outrider::sidecar {

void fault_point(const char*) {}

}  // namespace outrider::sidecar
