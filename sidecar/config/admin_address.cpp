#include "sidecar/config/admin_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "sidecar/base/text.hpp"
#include "sidecar/config/endpoint.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/secret.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::string_view unix_scheme = "unix://";
constexpr std::string_view tcp_scheme = "tcp://";
constexpr std::string_view default_name = "admin.sock";

Error not_one(std::string_view text) {
  return {in_quotes(text) +
          " is not an address of the admin interface; write unix:///run/outrider/admin.sock, "
          "tcp://127.0.0.1:9464 or none"};
}

bool is_ip_address(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  return inet_pton(AF_INET, host.c_str(), &v4) == 1 || inet_pton(AF_INET6, host.c_str(), &v6) == 1;
}

Result<AdminAddress> parse_unix(std::string_view text) {
  AdminAddress address;
  address.kind = AdminAddress::Kind::unix_socket;
  address.path = text.substr(unix_scheme.size());
  // The rules are those of an ipc endpoint.
  const auto endpoint = parse_bind_endpoint("ipc://" + address.path);
  if (!endpoint.ok() && address.path.size() > socket_path_bytes_max) return endpoint.error();
  if (!endpoint.ok()) return not_one(text);
  return address;
}

Result<AdminAddress> parse_tcp(std::string_view text) {
  const auto endpoint = parse_bind_endpoint(text);
  if (!endpoint.ok()) return endpoint.error();
  AdminAddress address;
  address.kind = AdminAddress::Kind::tcp;
  const std::string& host = endpoint.value().host;
  address.host = to_lower(host) == "localhost" ? "127.0.0.1" : host;
  address.port = endpoint.value().port;
  if (address.host == "*" || is_ip_address(address.host)) return address;
  return Error{in_quotes(host) + " of " + in_quotes(text) +
               " is not an IP address; write one, as in 127.0.0.1 or [::1]"};
}

}  // namespace

bool AdminAddress::is_local() const {
  if (kind != Kind::tcp) return true;
  Endpoint endpoint;
  endpoint.kind = Endpoint::Kind::tcp;
  endpoint.host = host;
  return is_on_this_machine(endpoint);
}

std::string AdminAddress::text() const {
  if (kind == Kind::none) return "none";
  if (kind == Kind::unix_socket) return std::string(unix_scheme) + path;
  const bool is_v6 = host.find(':') != std::string::npos;
  return std::string(tcp_scheme) + (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<AdminAddress> parse_admin_address(std::string_view text) {
  if (text == "none") return AdminAddress{};
  if (has_control(text)) return not_one(text);
  if (text.starts_with(unix_scheme)) return parse_unix(text);
  if (text.starts_with(tcp_scheme)) return parse_tcp(text);
  return not_one(text);
}

AdminAddress admin_address(const Config& config) {
  if (!config.admin.listen.empty()) {
    const auto given = parse_admin_address(config.admin.listen);
    return given.ok() ? given.value() : AdminAddress{};
  }
  for (const std::string& text : config.ingest.endpoints) {
    const auto endpoint = parse_bind_endpoint(text);
    if (!endpoint.ok() || endpoint.value().kind != Endpoint::Kind::ipc) continue;
    AdminAddress address;
    address.kind = AdminAddress::Kind::unix_socket;
    address.path = folder_of(endpoint.value().path) + "/" + std::string(default_name);
    return address;
  }
  return {};
}

std::string shared_place_mark(const Config& config) {
  if (!config.admin.listen.empty() || config.ingest.endpoints.empty()) return {};
  return config.ingest.endpoints.front();
}

Status check_admin_address(std::string_view text) {
  return status_of(parse_admin_address(text));
}

Status check_token_source(std::string_view source) {
  const Result<std::string> token = read_secret(source);
  if (!token.ok()) return token.error();
  if (token.value().size() >= admin_token_bytes_min) return Nothing{};
  return Error{describe_source(source) + " holds a token that is too short; make one of at least " +
               std::to_string(admin_token_bytes_min) + " bytes, as with `openssl rand -hex 32`"};
}

}  // namespace outrider::sidecar
