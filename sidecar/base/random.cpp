#include "sidecar/base/random.hpp"

#include <random>

namespace outrider::sidecar {

std::uint64_t system_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

}  // namespace outrider::sidecar
