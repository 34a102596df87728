// Event ids: UUID version 7 (RFC 9562), ordered by time, unique without coordination.
//
// Used by ingest for events without an id, and by the encoders to write 16-byte ids as text.
// Thread: one generator, one thread. The seed is injected, so that a simulation repeats exactly.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "proto/bytes.hpp"
#include "sidecar/base/random.hpp"

namespace outrider::sidecar {

using Uuid = std::array<std::uint8_t, 16>;

class UuidGenerator {
 public:
  explicit UuidGenerator(std::uint64_t seed) : random_(seed) {}

  /// 48 bits of milliseconds, 74 random bits. Costs a few nanoseconds.
  Uuid next(std::uint64_t wall_ns);

 private:
  Random random_;
};

inline constexpr std::size_t uuid_text_bytes = 36;

/// Writes the 36 characters 8-4-4-4-12 to `out`; `uuid` has 16 bytes.
void write_uuid_text(proto::ByteView uuid, char* out);

}  // namespace outrider::sidecar
