#include "sidecar/deliver/transport.hpp"

#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

std::vector<UrlSnapshot> Transport::urls() const {
  return {};
}

}  // namespace outrider::sidecar
