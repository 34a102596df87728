#include "sidecar/http/address_health.hpp"

#include <algorithm>

namespace outrider::sidecar {

void AddressHealth::failed(PeerKey address, MonoTime now) {
  answered(address);
  if (ill_.size() == addresses_max) ill_.erase(ill_.begin());
  ill_.push_back({address, now + avoided_for});
}

void AddressHealth::answered(PeerKey address) {
  std::erase_if(ill_, [address](const Ill& ill) { return ill.address == address; });
}

bool AddressHealth::is_avoided(PeerKey address, MonoTime now) const {
  return std::any_of(ill_.begin(), ill_.end(),
                     [&](const Ill& ill) { return ill.address == address && now < ill.until; });
}

}  // namespace outrider::sidecar
