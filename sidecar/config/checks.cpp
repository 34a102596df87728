#include "sidecar/config/checks.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <grp.h>

#include "proto/topic.hpp"
#include "sidecar/base/event_template.hpp"
#include "sidecar/base/percent.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/config/http_url.hpp"
#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::string_view alphanumerics =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

constexpr std::size_t host_name_bytes_max = 253;

bool consists_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

/// Headers that each request has from the sidecar or from the connection.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> made_by_us = {{
    {"connection", "the sidecar manages connections"},
    {"content-encoding", "the option compression sets it"},
    {"content-length", "the sidecar computes it from the body"},
    {"expect", "the sidecar sends bodies without asking first"},
    {"idempotency-key", "the sidecar sets it to the id of the batch"},
    {"keep-alive", "the sidecar manages connections"},
    {"proxy-connection", "the sidecar manages connections"},
    {"te", "the sidecar manages connections"},
    {"trailer", "the sidecar sends bodies with a length"},
    {"transfer-encoding", "the sidecar sends bodies with a length"},
    {"upgrade", "the sidecar manages connections"},
    {"webhook-id", "the option signing_secret_file sets it"},
    {"webhook-signature", "the option signing_secret_file sets it"},
    {"webhook-timestamp", "the option signing_secret_file sets it"},
}};

Status check_template(std::string_view text, EventTemplate::Place place) {
  return status_of(EventTemplate::parse(text, place));
}

}  // namespace

Status check_filled(std::string_view value) {
  if (value.empty()) return Error{"the value is empty; write one, or remove the key"};
  return Nothing{};
}

Status check_path(std::string_view path) {
  if (path.size() <= path_bytes_max) return check_filled(path);
  return Error{in_quotes(path) + " has " + std::to_string(path.size()) +
               " bytes; a path has at most " + std::to_string(path_bytes_max)};
}

Status check_destination_name(std::string_view name) {
  constexpr std::string_view dashes = "_-";
  if (name.empty() || name.size() > destination_name_bytes_max ||
      !consists_of(name, std::string(alphanumerics) + std::string(dashes))) {
    return Error{in_quotes(name) +
                 " is not a destination name; use 1 to 64 of the characters A-Z a-z 0-9 _ -"};
  }
  return Nothing{};
}

Status check_pattern(std::string_view pattern) {
  if (proto::is_valid_pattern(pattern)) return Nothing{};
  return Error{in_quotes(pattern) +
               " is not a topic pattern; write tokens of [A-Za-z0-9_-] joined by dots, where * "
               "matches one token and a final > the rest, as in orders.* or exceptions.>"};
}

Status check_http_url(std::string_view url) {
  const Result<HttpUrl> parsed = parse_http_url(url);
  if (!parsed.ok()) return parsed.error();
  const std::string& target = parsed.value().target;
  return status_of(
      EventTemplate::parse(target, EventTemplate::Place::url, url_without_secrets(target)));
}

Status check_uri_reference(std::string_view text) {
  Status filled = check_filled(text);
  if (!filled.ok()) return filled;
  const auto fault = [&](const std::string& what) -> Status {
    return Error{in_quotes(url_without_secrets(text)) + " is not a URI reference: " + what +
                 "; write one as in /shop or https://shop.example/orders"};
  };
  // The text as it may appear in a url, except for the brackets around an IPv6 address.
  const std::size_t host = text.find("//[");
  const std::size_t bracket = host == std::string_view::npos ? host : text.find(']', host);
  std::string plain(text);
  if (bracket != std::string_view::npos && text.find_first_of("/?#") == host) {
    plain.erase(bracket, 1).erase(host + 2, 1);
  }
  if (as_url_text(plain) != plain) {
    return fault("it has a character that must be percent-encoded, as %20 for a space");
  }
  if (std::count(text.begin(), text.end(), '#') > 1) return fault("it has a second #");
  const std::string_view first = text.substr(0, text.find_first_of("/?#"));
  const std::size_t colon = first.find(':');
  if (colon == std::string_view::npos) return Nothing{};
  const bool is_scheme = colon > 0 &&
                         consists_of(first.substr(0, 1), alphanumerics.substr(0, 52)) &&
                         consists_of(first.substr(0, colon), std::string(alphanumerics) + "+-.");
  if (is_scheme) return Nothing{};
  return fault("the part before its first colon is not a scheme");
}

Status check_method(std::string_view method) {
  if (method.find('{') != std::string_view::npos) {
    return check_template(method, EventTemplate::Place::method);
  }
  if (!method.empty() && method.size() <= method_bytes_max &&
      consists_of(method, alphanumerics.substr(0, 26))) {
    return Nothing{};
  }
  return Error{in_quotes(method) +
               " is not an HTTP method; write capital letters, as in POST or PUT"};
}

Status check_header_name(std::string_view name) {
  const std::string found = to_lower(name);
  const auto row = std::find_if(made_by_us.begin(), made_by_us.end(),
                                [&](const auto& it) { return it.first == found; });
  if (row == made_by_us.end()) return Nothing{};
  return Error{"the header " + in_quotes(name) + " cannot be set: " + std::string(row->second)};
}

Status check_header(std::string_view header) {
  const std::size_t colon = header.find(':');
  const std::string allowed = std::string(alphanumerics) + "!#$%&'*+-.^_`|~";
  if (colon == std::string_view::npos || colon == 0 ||
      !consists_of(header.substr(0, colon), allowed) || has_control(header)) {
    // It may be a secret, so it is not repeated.
    return Error{"this is not a header; write Name: value, without control characters"};
  }
  Status settable = check_header_name(header.substr(0, colon));
  if (!settable.ok()) return settable;
  if (header.size() > template_bytes_max) {
    return Error{"header " + in_quotes(header.substr(0, colon)) + " has " +
                 std::to_string(header.size()) + " bytes; at most " +
                 std::to_string(template_bytes_max) + " are allowed"};
  }
  if (EventTemplate::parse(header, EventTemplate::Place::header).ok()) return Nothing{};
  return Error{"header " + in_quotes(header.substr(0, colon)) +
               ": {} must contain a field of the event, as in {data.user.id}; write {{ and }} for "
               "literal braces"};
}

Status check_group(std::string_view group) {
  const std::string name(group);
  struct group entry {};
  struct group* found = nullptr;
  std::array<char, 4096> buffer{};
  const int error = getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr || error == ERANGE) return Nothing{};
  return Error{"there is no group " + in_quotes(group) + " on this machine"};
}

Status check_host_name(std::string_view name) {
  const std::string allowed = std::string(alphanumerics) + "-._";
  if (!name.empty() && name.size() <= host_name_bytes_max && consists_of(name, allowed)) {
    return Nothing{};
  }
  return Error{in_quotes(name) + " is not a host name; write one as in collector.example"};
}

Status check_proxy(std::string_view proxy) {
  if (proxy == "none" || proxy == "environment") return Nothing{};
  constexpr std::array schemes = {"http://", "https://", "socks5://", "socks5h://"};
  if (proxy.find('@') != std::string_view::npos) {
    return Error{"put the proxy's user and password into proxy_auth_file"};
  }
  for (const std::string_view scheme : schemes) {
    if (!to_lower(proxy).starts_with(scheme)) continue;
    const std::string as_http = "http://" + std::string(proxy.substr(scheme.size()));
    const Result<HttpUrl> parsed = parse_http_url(as_http);
    if (parsed.ok() && parsed.value().unix_path.empty()) return Nothing{};
  }
  return Error{
      in_quotes(url_without_secrets(proxy)) +
      " is not a proxy; write none, environment or a URL, as in http://proxy.example:3128"};
}

bool sends_one_event(const DestinationConfig& destination) {
  return destination.type == DestinationType::http &&
         (destination.format == BodyFormat::payload ||
          (destination.format == BodyFormat::cloudevents &&
           destination.cloudevents_mode != CloudEventsMode::batch));
}

bool is_plain_http_elsewhere(std::string_view url) {
  const Result<HttpUrl> parsed = parse_http_url(url);
  return parsed.ok() && !parsed.value().is_tls && !is_this_machine(parsed.value());
}

}  // namespace outrider::sidecar
