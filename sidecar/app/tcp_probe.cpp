#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include "sidecar/app/place_probe.hpp"
#include "sidecar/base/handle.hpp"

namespace outrider::sidecar {
namespace {

using Kind = Finding::Kind;

sockaddr_storage storage_of(const void* address, std::size_t bytes) {
  sockaddr_storage storage{};
  std::memcpy(&storage, address, bytes);
  return storage;
}

socklen_t bytes_of(const sockaddr_storage& address) {
  return address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

std::optional<sockaddr_storage> numeric_address(const std::string& host) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
  const Handle<addrinfo, freeaddrinfo> addresses(found);
  return storage_of(found->ai_addr, found->ai_addrlen);
}

/// The first address of a network interface; with IPv6 allowed, as here, libzmq takes no other.
std::optional<sockaddr_storage> interface_address(const std::string& name) {
  ifaddrs* found = nullptr;
  if (getifaddrs(&found) != 0) return std::nullopt;
  const Handle<ifaddrs, freeifaddrs> list(found);
  for (const ifaddrs* it = found; it != nullptr; it = it->ifa_next) {
    if (it->ifa_addr == nullptr || name != it->ifa_name) continue;
    if (it->ifa_addr->sa_family == AF_INET6) {
      return storage_of(it->ifa_addr, sizeof(sockaddr_in6));
    }
  }
  return std::nullopt;
}

/// The machine has this family of addresses.
bool can_open(const sockaddr_storage& address) {
  const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/// As libzmq finds them: no name server is asked for an address of one's own.
std::optional<sockaddr_storage> own_address(const std::string& host) {
  // The part after % names an interface; the address itself may be on it or not.
  const std::size_t percent = host.find('%');
  if (percent != std::string::npos) {
    if (if_nametoindex(host.c_str() + percent + 1) == 0) return std::nullopt;
    if (const auto address = numeric_address(host)) return address;
    return numeric_address(host.substr(0, percent));
  }
  if (host == "*") {
    const auto both = numeric_address("::");
    return both && can_open(*both) ? both : numeric_address("0.0.0.0");
  }
  if (const auto address = numeric_address(host)) return address;
  return interface_address(host);
}

void set_port(sockaddr_storage& address, std::uint16_t port) {
  if (address.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(port);
  }
}

bool is_any(const sockaddr_storage& address) {
  if (address.ss_family != AF_INET6) {
    return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == INADDR_ANY;
  }
  return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

/// An address of IPv4 that is written as one of IPv6 is still the same one.
sockaddr_storage unmapped(const sockaddr_storage& address) {
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (address.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) return address;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = v6.sin6_port;
  std::memcpy(&v4.sin_addr, &v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
  return storage_of(&v4, sizeof v4);
}

/// Both cannot be listened on. `::` is every address of IPv4 too, as libzmq opens it.
bool exclude_each_other(const sockaddr_storage& one, const sockaddr_storage& other) {
  const sockaddr_storage a = unmapped(one);
  const sockaddr_storage b = unmapped(other);
  if (a.ss_family == b.ss_family) {
    return is_any(a) || is_any(b) || std::memcmp(&a, &b, sizeof a) == 0;
  }
  return (a.ss_family == AF_INET6 && is_any(a)) || (b.ss_family == AF_INET6 && is_any(b));
}

/// Binds without listening, so that no client can connect, and closes at once.
int try_to_bind(const sockaddr_storage& address) {
  const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool is_bound =
      bind(fd, reinterpret_cast<const sockaddr*>(&address), bytes_of(address)) == 0;
  const int error = is_bound ? 0 : errno;
  close(fd);
  return error;
}

Finding finding_of(int error, const Endpoint& endpoint) {
  const std::string port = std::to_string(endpoint.port);
  switch (error) {
    case EADDRINUSE:
      return {Kind::in_use,
              "port " + port + " of " + endpoint.host +
                  " is in use: stop the program that listens there, or choose another port"};
    case EADDRNOTAVAIL:
      return {Kind::error, endpoint.host + " is not an address of this machine"};
    case EACCES:
      return {Kind::error, "port " + port + " requires a privilege; choose 1024 or higher"};
    default:
      return {Kind::error, "cannot listen on port " + port + " of " + endpoint.host + ": " +
                               std::generic_category().message(error)};
  }
}

}  // namespace

Findings TcpProbe::look(const Endpoint& endpoint) {
  std::optional<sockaddr_storage> address = own_address(endpoint.host);
  if (!address) {
    return {{Kind::error, endpoint.host + " is neither an address nor a network interface of this "
                                          "machine with IPv6; write an address, as in 127.0.0.1"}};
  }
  set_port(*address, endpoint.port);
  const bool is_taken = std::any_of(seen_.begin(), seen_.end(), [&](const Seen& seen) {
    return seen.port == endpoint.port && endpoint.port != 0 &&
           exclude_each_other(seen.address, *address);
  });
  if (is_taken) {
    return {
        {Kind::error, "port " + std::to_string(endpoint.port) +
                          " is used by another endpoint of this configuration; choose another"}};
  }
  seen_.push_back({*address, endpoint.port});
  if (const int error = try_to_bind(*address); error != 0) return {finding_of(error, endpoint)};
  return {};
}

}  // namespace outrider::sidecar
