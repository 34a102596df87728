// AddressHealth: the addresses of a destination that accept connections but do not answer.
//
// libcurl takes the first address of a name that accepts, each time again. It does not know that an
// address gave no answer; this class does. Such an address is avoided for avoided_for, so that the
// next connection goes to another address of the same name. If there is no other, the request uses
// it all the same.
//
// Used by CurlTransport, which owns one, and CurlRequest. Thread: one set, one thread. Plain state.
// Limits: addresses_max; the oldest makes room.
#pragma once

#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/http/connections.hpp"

namespace outrider::sidecar {

class AddressHealth {
 public:
  static constexpr std::size_t addresses_max = 16;
  static constexpr Duration avoided_for = std::chrono::seconds(60);

  void failed(PeerKey address, MonoTime now);
  void answered(PeerKey address);
  bool is_avoided(PeerKey address, MonoTime now) const;
  void forget() { ill_.clear(); }

 private:
  struct Ill {
    PeerKey address;
    MonoTime until;
  };
  std::vector<Ill> ill_;
};

}  // namespace outrider::sidecar
