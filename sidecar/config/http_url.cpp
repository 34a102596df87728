#include "sidecar/config/http_url.hpp"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>

#include "sidecar/base/percent.hpp"
#include "sidecar/base/private_address.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/endpoint.hpp"
#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::uint16_t http_port = 80;
constexpr std::uint16_t https_port = 443;
constexpr std::string_view unix_mark = "unix:";

Error fault(std::string_view url, const char* what) {
  return {in_quotes(url_without_secrets(url)) + " " + what};
}

/// A blank in a {field|fallback} is percent-encoded when it is filled in; others are mistakes.
bool has_blank_outside_fields(std::string_view text) {
  bool is_in_field = false;
  for (const char c : text) {
    if (c == '{' || c == '}') is_in_field = c == '{';
    if (c == ' ' && !is_in_field) return true;
  }
  return false;
}

/// Path and query without the fragment, which is never sent.
std::string target_of(std::string_view rest) {
  rest = rest.substr(0, rest.find('#'));
  return rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
}

Status parse_unix(std::string_view rest, HttpUrl& parsed) {
  const std::size_t path_end = std::min(rest.find(':'), rest.size());
  parsed.unix_path = rest.substr(0, path_end);
  if (parsed.unix_path.size() > socket_path_bytes_max) {
    return Error{"the path " + in_quotes(parsed.unix_path) + " has " +
                 std::to_string(parsed.unix_path.size()) +
                 " bytes; a Unix socket's path has at most " +
                 std::to_string(socket_path_bytes_max)};
  }
  parsed.host = "localhost";
  parsed.target = target_of(rest.substr(std::min(path_end + 1, rest.size())));
  return Nothing{};
}

/// A name as name servers and certificates have it, or an IPv6 address in its brackets. libcurl
/// does not write other letters in their ASCII form, which differs between standards.
Status check_host(std::string_view url, std::string_view host) {
  constexpr std::size_t name_bytes_max = 253;
  if (host.starts_with('[')) {
    // Behind % is the interface of a local address.
    const std::string_view inside = host.substr(1, host.size() - 2);
    const std::string address(inside.substr(0, inside.find('%')));
    in6_addr parsed{};
    if (inet_pton(AF_INET6, address.c_str(), &parsed) == 1) return Nothing{};
    return fault(url, "has no IPv6 address between its [ and ]");
  }
  const auto is_foreign = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
  if (std::any_of(host.begin(), host.end(), is_foreign)) {
    return fault(url,
                 "has a host with letters outside ASCII; write its ASCII form, which begins with "
                 "xn--");
  }
  const bool is_name =
      std::all_of(host.begin(), host.end(), [](char c) { return is_unreserved(c) && c != '~'; });
  const bool has_empty_label = host.starts_with('.') || host.find("..") != std::string_view::npos;
  if (is_name && !has_empty_label && host.size() <= name_bytes_max) return Nothing{};
  return fault(
      url, "has a host that is neither a name nor an address, as in https://collector.example/");
}

/// Where the host ends. An IPv6 address has colons of its own, so it has brackets.
Result<std::size_t> host_end_of(std::string_view url, std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) {
      return fault(url, "has a [ without its ]; write an IPv6 address as in https://[::1]:8443/");
    }
    if (bracket == 1) return fault(url, "has no address between [ and ]");
    const std::string_view behind = authority.substr(bracket + 1);
    if (behind.empty() || behind.front() == ':') return bracket + 1;
    return fault(url,
                 "has text after its ] that is not a port; write a port as in https://[::1]:8443/");
  }
  const std::size_t colon = std::min(authority.find(':'), authority.size());
  if (authority.find(':', colon + 1) != std::string_view::npos) {
    return fault(url, "has more than one colon; write an IPv6 address as in https://[::1]:8443/");
  }
  return colon;
}

/// The port with its colon; an empty text leaves the scheme's own.
Status parse_port(std::string_view url, std::string_view text, HttpUrl& parsed) {
  if (text.empty()) return Nothing{};
  const Result<std::uint64_t> port = parse_count(text.substr(1));
  if (!port.ok() || port.value() == 0 || port.value() > 65535) {
    return fault(url, "has a port that is not a number from 1 to 65535");
  }
  parsed.port = static_cast<std::uint16_t>(port.value());
  return Nothing{};
}

Status parse_tcp(std::string_view url, std::string_view rest, HttpUrl& parsed) {
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, end);
  if (authority.find('@') != std::string_view::npos) {
    return fault(url, "must not contain a user and password; put them into basic_auth_file");
  }
  if (authority.find_first_of("{}") != std::string_view::npos) {
    return fault(url, "has a brace in its host or port; {fields} are allowed only after them");
  }
  const Result<std::size_t> host_end = host_end_of(url, authority);
  if (!host_end.ok()) return host_end.error();
  parsed.host = authority.substr(0, host_end.value());
  if (parsed.host.empty()) {
    return fault(url, "has no host; write one, as in https://collector.example/events");
  }
  Status host = check_host(url, parsed.host);
  if (!host.ok()) return host;
  parsed.target = target_of(rest.substr(end));
  return parse_port(url, authority.substr(host_end.value()), parsed);
}

/// The address that the host is, in any of the forms that libcurl takes; of family AF_UNSPEC if it
/// is a name. Asks nothing that could ask a name server.
sockaddr_storage address_of(const HttpUrl& url) {
  sockaddr_storage address{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(address);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
  if (url.host.starts_with('[')) {
    const std::string_view inside = std::string_view(url.host).substr(1, url.host.size() - 2);
    const std::string text(inside.substr(0, inside.find('%')));
    if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) v6.sin6_family = AF_INET6;
  } else if (inet_aton(url.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
  }
  return address;
}

bool is_loopback(std::uint32_t address) {
  return address >> 24U == 127 || address == INADDR_ANY;
}

/// False for a name. A connection to the address stays on this machine; to "any" it goes there as
/// well.
bool is_loopback(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return is_loopback(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return false;
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (!IN6_IS_ADDR_V4MAPPED(&v6)) return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6);
  std::uint32_t v4 = 0;
  std::memcpy(&v4, &v6.s6_addr[12], sizeof v4);
  return is_loopback(ntohl(v4));
}

/// "unix:" and neither a port, which makes it the name of a host, nor a path from the root.
bool is_relative_unix_path(std::string_view rest) {
  return rest.starts_with(unix_mark) &&
         rest.find_first_of("0123456789", unix_mark.size()) != unix_mark.size();
}

}  // namespace

std::string HttpUrl::authority() const {
  const bool is_usual = port == (is_tls ? https_port : http_port);
  return is_usual ? host : host + ":" + std::to_string(port);
}

std::string HttpUrl::origin() const {
  return (is_tls ? "https://" : "http://") + (unix_path.empty() ? authority() : peer());
}

std::string HttpUrl::peer() const {
  return unix_path.empty() ? host + ":" + std::to_string(port) : "unix:" + unix_path;
}

bool HttpUrl::has_same_origin(const HttpUrl& other) const {
  return is_tls == other.is_tls && port == other.port && to_lower(host) == to_lower(other.host);
}

Result<HttpUrl> parse_http_url(std::string_view url) {
  HttpUrl parsed;
  const std::size_t colon = url.find("://");
  const std::string scheme = to_lower(url.substr(0, std::min(colon, url.size())));
  parsed.is_tls = scheme == "https";
  parsed.port = parsed.is_tls ? https_port : http_port;
  if (colon == std::string_view::npos || (!parsed.is_tls && scheme != "http")) {
    return fault(url,
                 "is not a URL to send to; write http:// or https://, a host and a path, as in "
                 "https://collector.example/events");
  }
  if (has_control(url)) return fault(url, "contains a control character");
  if (has_blank_outside_fields(url)) return fault(url, "contains a space; write %20 for it");
  const std::string_view rest = url.substr(colon + 3);
  if (rest.starts_with("unix:/")) {
    const Status status = parse_unix(rest.substr(unix_mark.size()), parsed);
    if (!status.ok()) return status.error();
    return parsed;
  }
  if (is_relative_unix_path(rest)) {
    return fault(url,
                 "has a relative path of a Unix socket; write the full path, as in "
                 "http://unix:/run/collector.sock:/events");
  }
  const Status status = parse_tcp(url, rest, parsed);
  if (!status.ok()) return status.error();
  return parsed;
}

std::optional<std::string_view> private_range_of(const HttpUrl& url) {
  const sockaddr_storage address = address_of(url);
  if (address.ss_family == AF_UNSPEC) return std::nullopt;
  return private_range(reinterpret_cast<const sockaddr&>(address));
}

bool is_this_machine(const HttpUrl& url) {
  std::string host = to_lower(url.host);
  if (host.ends_with('.')) host.pop_back();
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  const sockaddr_storage address = address_of(url);
  return is_loopback(reinterpret_cast<const sockaddr&>(address));
}

}  // namespace outrider::sidecar
