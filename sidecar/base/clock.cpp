#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

Now SystemClock::now() const {
  return {std::chrono::steady_clock::now(), std::chrono::system_clock::now()};
}

}  // namespace outrider::sidecar
