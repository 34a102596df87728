// Amount: a number of events, and the bytes of their records. A plain value.
#pragma once

#include <algorithm>
#include <cstdint>

namespace outrider::sidecar {

struct Amount {
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;

  Amount& operator+=(const Amount& more) {
    events += more.events;
    bytes += more.bytes;
    return *this;
  }
  /// Never below nothing.
  Amount& operator-=(const Amount& less) {
    events -= std::min(less.events, events);
    bytes -= std::min(less.bytes, bytes);
    return *this;
  }
};

}  // namespace outrider::sidecar
