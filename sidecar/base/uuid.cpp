#include "sidecar/base/uuid.hpp"

#include <array>
#include <cstring>

namespace outrider::sidecar {
namespace {

constexpr auto hex_pairs = [] {
  constexpr char digits[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {digits[i >> 4U], digits[i & 0x0fU]};
  return pairs;
}();

}  // namespace

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
  const std::uint8_t* from = uuid.data();
  const auto put = [&](std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i, out += 2)
      std::memcpy(out, hex_pairs[*from++].data(), 2);
  };
  put(4);
  for (const std::size_t bytes : {2U, 2U, 2U, 6U}) {
    *out++ = '-';
    put(bytes);
  }
}

}  // namespace outrider::sidecar
