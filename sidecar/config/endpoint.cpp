#include "sidecar/config/endpoint.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "proto/host.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {
namespace {

enum class Side : std::uint8_t { bind, connect };

constexpr std::string_view ipc_scheme = "ipc://";
constexpr std::string_view tcp_scheme = "tcp://";
constexpr std::string_view inproc_scheme = "inproc://";
constexpr std::uint64_t port_max = 65535;

Error not_one(std::string_view text) {
  return {in_quotes(text) +
          " is not an endpoint; write ipc://PATH, tcp://HOST:PORT or inproc://NAME"};
}

Result<Endpoint> parse_ipc(std::string_view text, Side side) {
  Endpoint endpoint;
  endpoint.path = text.substr(ipc_scheme.size());
  if (endpoint.path.empty()) return not_one(text);
  if (endpoint.path.size() > socket_path_bytes_max) {
    return Error{"the path of " + in_quotes(text) + " has " + std::to_string(endpoint.path.size()) +
                 " bytes; a Unix socket's path has at most " +
                 std::to_string(socket_path_bytes_max)};
  }
  const char first = endpoint.path.front();
  if (first == '*' || (first == '@' && side == Side::bind)) {
    return Error{"the path of " + in_quotes(text) +
                 " must name a file; write a full path, as in ipc:///run/outrider/outrider.sock"};
  }
  return endpoint;
}

Result<Endpoint> parse_tcp(std::string_view text, Side side) {
  const std::string_view address = text.substr(tcp_scheme.size());
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return not_one(text);
  const std::string_view host = address.substr(0, colon);
  const bool is_any = host == "*";
  if (!is_any && !proto::is_host(host)) {
    return Error{in_quotes(host) + " of " + in_quotes(text) +
                 " is not a host; write a name or an address, as in 127.0.0.1 or [::1]"};
  }
  Endpoint endpoint;
  endpoint.kind = Endpoint::Kind::tcp;
  endpoint.host = proto::without_brackets(host);
  const std::string_view written = address.substr(colon + 1);
  const Result<std::uint64_t> port = parse_count(written == "*" ? "0" : written);
  if (!port.ok() || port.value() > port_max) {
    return Error{in_quotes(written) + " of " + in_quotes(text) +
                 " is not a port; write a number from 1 to 65535"};
  }
  endpoint.port = static_cast<std::uint16_t>(port.value());
  if (side == Side::connect && (is_any || endpoint.port == 0)) {
    return Error{in_quotes(text) +
                 " is not an address to connect to; write a host and a port, or set bind = true"};
  }
  return endpoint;
}

Result<Endpoint> parse(std::string_view text, Side side) {
  if (has_control(text)) return not_one(text);
  if (text.starts_with(ipc_scheme)) return parse_ipc(text, side);
  if (text.starts_with(tcp_scheme)) return parse_tcp(text, side);
  if (!text.starts_with(inproc_scheme) || text.size() == inproc_scheme.size()) return not_one(text);
  Endpoint endpoint;
  endpoint.kind = Endpoint::Kind::inproc;
  endpoint.path = text.substr(inproc_scheme.size());
  return endpoint;
}

}  // namespace

Result<Endpoint> parse_bind_endpoint(std::string_view text) {
  return parse(text, Side::bind);
}

Result<Endpoint> parse_connect_endpoint(std::string_view text) {
  return parse(text, Side::connect);
}

Status check_bind_endpoint(std::string_view text) {
  return status_of(parse_bind_endpoint(text));
}

Status check_connect_endpoint(std::string_view text) {
  return status_of(parse_connect_endpoint(text));
}

bool has_host_name(const Endpoint& endpoint) {
  in_addr v4{};
  return endpoint.kind == Endpoint::Kind::tcp && endpoint.host != "*" &&
         endpoint.host.find(':') == std::string::npos &&
         inet_pton(AF_INET, endpoint.host.c_str(), &v4) != 1;
}

bool is_on_this_machine(const Endpoint& endpoint) {
  if (endpoint.kind != Endpoint::Kind::tcp) return true;
  if (to_lower(endpoint.host) == "localhost" || endpoint.host == "lo") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, endpoint.host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24U == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, endpoint.host.c_str(), &v6) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

}  // namespace outrider::sidecar
