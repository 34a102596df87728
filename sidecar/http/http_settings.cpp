#include "sidecar/http/http_settings.hpp"

#include <algorithm>
#include <utility>

#include <strings.h>

#include "sidecar/base/text.hpp"
#include "sidecar/config/checks.hpp"
#include "sidecar/config/field_rules.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/http/tls_offer.hpp"

namespace outrider::sidecar {

namespace {

bool has_name(std::string_view line, std::string_view name) {
  const std::string_view other = trim(line.substr(0, line.find(':')));
  return other.size() == name.size() && strncasecmp(other.data(), name.data(), name.size()) == 0;
}

bool is_set(const DestinationConfig& config, std::string_view name) {
  return std::any_of(config.headers.begin(), config.headers.end(),
                     [name](const std::string& line) { return has_name(line, name); });
}

Result<std::vector<HttpSettings::Url>> read_urls(const DestinationConfig& config,
                                                 const FieldRules& rules) {
  if (config.urls.empty()) return Error{"a destination of type http needs a url"};
  std::vector<HttpSettings::Url> urls;
  for (const std::string& text : config.urls) {
    Result<HttpUrl> url = parse_http_url(text);
    if (!url.ok()) return url.error().with_prefix("url");
    if (config.deny_private_addresses && !url.value().unix_path.empty()) {
      return Error{"deny_private_addresses forbids the Unix socket of url " +
                   in_quotes(url_without_secrets(text))};
    }
    Result<EventTemplate> target = EventTemplate::parse(
        url.value().target, EventTemplate::Place::url, url_without_secrets(url.value().target));
    if (!target.ok()) return target.error().with_prefix("url");
    target.value().redact(rules);
    urls.push_back({std::move(url.value()), std::move(target.value())});
  }
  return urls;
}

/// Headers that go wherever the body goes, also to another host.
std::vector<std::string> body_headers(const DestinationConfig& config, const BodyKind& body) {
  std::vector<std::string> lines;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty() && !is_set(config, name)) {
      lines.push_back(std::string(name) + ": " + std::string(value));
    }
  };
  add("Content-Type", body.content_type);
  add("Content-Encoding", body.content_encoding);
  add("User-Agent", "outrider/" OUTRIDER_VERSION);
  return lines;
}

Result<std::vector<HttpSettings::Header>> read_headers(const DestinationConfig& config,
                                                       const FieldRules& rules) {
  std::vector<HttpSettings::Header> headers;
  for (const std::string& line : config.headers) {
    const Status status = check_header(line);
    if (!status.ok()) return status.error();
    EventTemplate filled = EventTemplate::parse(line, EventTemplate::Place::header).value();
    filled.redact(rules);
    headers.push_back(
        {std::move(filled), has_name(line, "Content-Type") || has_name(line, "User-Agent")});
  }
  return headers;
}

}  // namespace

Result<HttpSettings> make_http_settings(const DestinationConfig& config, const BodyKind& body) {
  const Result<FieldRules> rules = read_field_rules(config);
  if (!rules.ok()) return rules.error();
  Result<std::vector<HttpSettings::Url>> urls = read_urls(config, rules.value());
  if (!urls.ok()) return urls.error();
  Result<EventTemplate> method = EventTemplate::parse(config.method, EventTemplate::Place::method);
  if (!method.ok()) return method.error().with_prefix("method");
  method.value().redact(rules.value());
  Result<std::vector<HttpSettings::Header>> headers = read_headers(config, rules.value());
  if (!headers.ok()) return headers.error();
  const bool needs_event =
      !method.value().is_constant() ||
      std::any_of(headers.value().begin(), headers.value().end(),
                  [](const auto& header) { return !header.line.is_constant(); }) ||
      std::any_of(urls.value().begin(), urls.value().end(),
                  [](const auto& url) { return !url.target.is_constant(); });
  return HttpSettings{.urls = std::move(urls.value()),
                      .method = std::move(method.value()),
                      .body_headers = body_headers(config, body),
                      .headers = std::move(headers.value()),
                      .needs_event = needs_event,
                      .sets_host = is_set(config, "Host"),
                      .http_version = config.http_version,
                      .redirects_max = config.redirects_max,
                      .proxy = config.proxy,
                      .deny_private_addresses = config.deny_private_addresses,
                      .tls_version_min = config.tls_version_min,
                      .tls_server_name = config.tls_server_name,
                      .tls_ciphers = tls_ciphers(),
                      .connection_age_max = config.connection_age_max,
                      .timeout = config.timeout,
                      .connect_timeout = config.connect_timeout,
                      .status_actions = config.status_actions};
}

}  // namespace outrider::sidecar
