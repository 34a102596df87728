#include "sidecar/admin/access.hpp"

#include <cstddef>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::string_view bearer = "bearer ";

bool has_token(const HttpRequest& head, const std::string& token) {
  const std::string_view given = head.header("authorization").value_or("");
  if (to_lower(given.substr(0, bearer.size())) != bearer) return false;
  return is_same_secret(trim(given.substr(bearer.size())), token);
}

struct HostParts {
  std::string_view name;
  std::string_view port;  ///< with its colon
};

HostParts split_host(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return has_port ? HostParts{host.substr(0, colon), host.substr(colon)} : HostParts{host, {}};
}

/// Nothing, or ":" and a number.
bool is_port(std::string_view port) {
  return port.empty() || (port.size() >= 2 && port.size() <= 6 &&
                          port.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

/// "http://HOST" as HOST.
std::string_view host_of_origin(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  return scheme == std::string_view::npos ? origin : origin.substr(scheme + 3);
}

}  // namespace

bool is_same_secret(std::string_view given, std::string_view secret) {
  if (secret.empty()) return false;
  unsigned differs = given.size() == secret.size() ? 0U : 1U;
  for (std::size_t i = 0; i < given.size(); ++i) {
    differs |= static_cast<unsigned char>(given[i] ^ secret[i % secret.size()]);
  }
  return differs == 0;
}

bool is_address(std::string_view host) {
  const HostParts parts = split_host(host);
  if (!is_port(parts.port)) return false;
  std::string text = to_lower(parts.name);
  if (text == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return true;
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return false;
  text = text.substr(1, text.size() - 2);
  in6_addr v6{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1;
}

std::optional<HttpAnswer> refuse_stranger(const HttpRequest& head, const AccessRules& rules) {
  const std::string_view host = head.header("host").value_or("");
  if (!is_port(split_host(host).port)) {
    return error_answer(400, "the port in the host of the request is not a number");
  }
  if (!rules.has_tls && !is_address(host)) {
    return error_answer(403,
                        "the host of the request is a name, which a web page could have sent; use "
                        "localhost or an IP address");
  }
  const auto origin = head.header("origin");
  if (origin && to_lower(host_of_origin(*origin)) != to_lower(host)) {
    return error_answer(403, "the request comes from a web page of another origin");
  }
  if (rules.token.empty() || has_token(head, rules.token)) return std::nullopt;
  HttpAnswer answer = error_answer(
      401, "the token is missing or wrong; send Authorization: Bearer with the one of token_file");
  answer.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"outrider\"");
  return answer;
}

std::optional<HttpAnswer> refuse_misdirected(const HttpRequest& head, const AccessRules& rules) {
  const auto wanted = head.header(endpoint_header);
  if (!wanted || rules.endpoint.empty() || *wanted == rules.endpoint) return std::nullopt;
  return error_answer(421, "this admin interface belongs to the sidecar of " + rules.endpoint +
                               ", not of " + printable(*wanted, 200) +
                               "; set [admin] listen for that one, and restart it");
}

std::optional<HttpAnswer> refuse_change(const HttpRequest& head, const AccessRules& rules) {
  if (rules.is_read_only) {
    return error_answer(403, "nothing can be changed here: [admin] read_only is set");
  }
  const std::string_view type = head.header("content-type").value_or("");
  if (to_lower(trim(type.substr(0, type.find(';')))) == "application/json") return std::nullopt;
  return error_answer(415, "send content-type: application/json");
}

}  // namespace outrider::sidecar
