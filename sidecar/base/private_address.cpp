#include "sidecar/base/private_address.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace outrider::sidecar {
namespace {

using Bytes = std::span<const std::uint8_t>;

/// All addresses whose first `bits` are those of `prefix`.
struct Range {
  std::array<std::uint8_t, 16> prefix;
  unsigned bits;
  std::string_view name;
};

constexpr std::array ranges_v4 = {
    Range{{0}, 8, "this network"},
    Range{{10}, 8, "private network"},
    Range{{100, 64}, 10, "carrier's private network"},
    Range{{127}, 8, "loopback"},
    Range{{169, 254}, 16, "link-local"},
    Range{{172, 16}, 12, "private network"},
    Range{{192, 0, 0}, 24, "protocol assignments"},
    Range{{192, 0, 2}, 24, "documentation"},
    Range{{192, 88, 99}, 24, "6to4 relay"},
    Range{{192, 168}, 16, "private network"},
    Range{{198, 18}, 15, "benchmarking"},
    Range{{198, 51, 100}, 24, "documentation"},
    Range{{203, 0, 113}, 24, "documentation"},
    Range{{224}, 4, "multicast"},
    Range{{240}, 4, "reserved"},
};

// Of IPv6 only 2000::/3 is given out; the first rows have names of their own, the last takes the
// rest.
constexpr std::array ranges_v6 = {
    Range{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, "loopback"},
    Range{{0xfc}, 7, "private network"},
    Range{{0xfe, 0x80}, 10, "link-local"},
    Range{{0xff}, 8, "multicast"},
    Range{{0x20, 0x01, 0, 0}, 32, "Teredo tunnel"},
    Range{{0x20, 0x01, 0, 2, 0, 0}, 48, "benchmarking"},
    Range{{0x20, 0x01, 0, 0x10}, 28, "reserved"},
    Range{{0x20, 0x01, 0, 0x20}, 28, "reserved"},
    Range{{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation"},
    Range{{0x3f, 0xff}, 20, "documentation"},
    Range{{0}, 3, "reserved"},
    Range{{0x40}, 2, "reserved"},
    Range{{0x80}, 1, "reserved"},
};

/// Prefixes before an IPv4 address.
constexpr std::array embedding_v6 = {
    Range{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, "IPv4-mapped"},
    Range{{0, 0x64, 0xff, 0x9b}, 96, "NAT64"},
    Range{{0x20, 0x02}, 16, "6to4"},
};

bool is_in(Bytes address, const Range& range) {
  const unsigned whole = range.bits / 8;
  if (!std::equal(address.begin(), address.begin() + whole, range.prefix.begin())) return false;
  const unsigned rest = range.bits % 8;
  return rest == 0 || ((address[whole] ^ range.prefix[whole]) >> (8 - rest)) == 0;
}

template <std::size_t rows>
std::optional<std::string_view> find_in(const std::array<Range, rows>& ranges, Bytes address) {
  const auto found = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const Range& range) { return is_in(address, range); });
  if (found == ranges.end()) return std::nullopt;
  return found->name;
}

std::optional<std::string_view> private_range_v6(Bytes address) {
  for (const Range& range : embedding_v6) {
    if (is_in(address, range)) return find_in(ranges_v4, address.subspan(range.bits / 8, 4));
  }
  return find_in(ranges_v6, address);
}

in_addr address_v4(const sockaddr& address) {
  sockaddr_in whole{};
  std::memcpy(&whole, &address, sizeof whole);
  return whole.sin_addr;
}

in6_addr address_v6(const sockaddr& address) {
  sockaddr_in6 whole{};
  std::memcpy(&whole, &address, sizeof whole);
  return whole.sin6_addr;
}

}  // namespace

std::optional<std::string_view> private_range(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const in_addr found = address_v4(address);
    std::array<std::uint8_t, sizeof found> bytes{};
    std::memcpy(bytes.data(), &found, bytes.size());
    return find_in(ranges_v4, bytes);
  }
  if (address.sa_family == AF_INET6) {
    const in6_addr found = address_v6(address);
    std::array<std::uint8_t, sizeof found> bytes{};
    std::memcpy(bytes.data(), &found, bytes.size());
    return private_range_v6(bytes);
  }
  return "not an internet address";
}

std::string address_text(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.sa_family == AF_INET) {
    const in_addr found = address_v4(address);
    inet_ntop(AF_INET, &found, text.data(), text.size());
  } else if (address.sa_family == AF_INET6) {
    const in6_addr found = address_v6(address);
    inet_ntop(AF_INET6, &found, text.data(), text.size());
  }
  return text.data();
}

}  // namespace outrider::sidecar
