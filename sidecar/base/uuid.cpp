#include "sidecar/base/uuid.hpp"

#include <cstring>

namespace outrider::sidecar {

Uuid UuidGenerator::next(std::uint64_t wall_ns) {
  const std::uint64_t time_ms = wall_ns / 1'000'000;
  const std::uint64_t high = (time_ms << 16U) | 0x7000U | (random_.next() & 0x0fffU);
  const std::uint64_t low = (random_.next() & 0x3fff'ffff'ffff'ffffU) | 0x8000'0000'0000'0000U;
  const std::uint64_t big_endian[2] = {__builtin_bswap64(high), __builtin_bswap64(low)};
  Uuid uuid;
  std::memcpy(uuid.data(), big_endian, sizeof big_endian);
  return uuid;
}

void write_uuid_text(proto::ByteView uuid, char* out) {
  constexpr char digits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = digits[uuid[i] >> 4U];
    *out++ = digits[uuid[i] & 0x0fU];
  }
}

}  // namespace outrider::sidecar
