#include "sidecar/config/validate_http.hpp"

#include <algorithm>
#include <map>
#include <string_view>

#include "sidecar/base/event_template.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/checks.hpp"
#include "sidecar/config/field_rules.hpp"
#include "sidecar/config/http_url.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/pem.hpp"

namespace outrider::sidecar {
namespace {

void validate_address(const DestinationConfig& destination, const HttpUrl& url, std::size_t index,
                      const SectionView& section) {
  if (!destination.deny_private_addresses) return;
  if (!url.unix_path.empty()) {
    section.complain_of("url", "deny_private_addresses forbids Unix sockets", index);
  } else if (const auto range = private_range_of(url)) {
    section.complain_of(
        "url", "deny_private_addresses forbids " + url.host + " (" + std::string(*range) + ")",
        index);
  }
}

void validate_urls(const DestinationConfig& destination, const SectionView& section) {
  for (std::size_t i = 0; i < destination.urls.size() && !section.has_failed("url"); ++i) {
    const std::string& url = destination.urls[i];
    const std::string shown = url_without_secrets(url);
    const Status status = check_http_url(url);
    if (!status.ok()) {
      section.complain_of("url", status.error().message, i);
      continue;
    }
    if (is_plain_http_elsewhere(url)) {
      section.warn_of(
          "url",
          in_quotes(shown) +
              " is plain http to another machine; anyone on the network path can read the events",
          i);
    }
    if (has_secret_in_query(url)) {
      section.warn_of("url",
                      in_quotes(shown) +
                          " has a secret in its query, which logs and proxies record; use "
                          "secret_header if the receiver supports it",
                      i);
    }
    const HttpUrl parts = parse_http_url(url).value();
    validate_address(destination, parts, i, section);
    if (!parts.unix_path.empty() && destination.proxy != "none" && !section.has_failed("proxy")) {
      section.warn_of("proxy",
                      in_quotes(shown) + " is a Unix socket; the proxy is not used for it");
    }
  }
  section.must_be_distinct("url", destination.urls);
}

/// The name of a header, "Name: value", in small letters.
std::string header_name(const std::string& header) {
  return to_lower(trim(std::string_view(header).substr(0, header.find(':'))));
}

/// The same header from two places would be sent twice.
void validate_headers(const DestinationConfig& destination, const SectionView& section) {
  if (section.has_failed("header") || section.has_failed("secret_header")) return;
  std::map<std::string, std::string> origin_of;
  const auto add = [&](const std::string& name, const std::string& key, std::size_t index) {
    const auto [first, is_new] = origin_of.emplace(name, key);
    if (is_new || (key == "header" && first->second == key)) return;
    section.complain(
        section.origin(key, index),
        "header " + in_quotes(name) + " is set twice, by " + first->second + " and by " + key);
  };
  if (section.is_given("bearer_token_file")) add("authorization", "bearer_token_file", 0);
  if (section.is_given("basic_auth_file")) add("authorization", "basic_auth_file", 0);
  for (std::size_t i = 0; i < destination.secret_headers.size(); ++i) {
    add(header_name(destination.secret_headers[i]), "secret_header", i);
  }
  for (std::size_t i = 0; i < destination.headers.size(); ++i) {
    add(header_name(destination.headers[i]), "header", i);
  }
}

/// The events of a batch cannot all be named in one request line.
void validate_templates(const DestinationConfig& destination, const SectionView& section) {
  if (sends_one_event(destination) || section.has_failed("format")) return;
  const auto must_be_constant = [&](const std::string& key, std::size_t index,
                                    std::string_view text, EventTemplate::Place place) {
    const Result<EventTemplate> parsed = EventTemplate::parse(text, place);
    if (!parsed.ok() || parsed.value().is_constant()) return;
    section.complain_of(key,
                        "contains {fields} of an event, but each request carries many events; "
                        "set format = payload, or cloudevents with cloudevents_mode = structured "
                        "or binary, or write {{ and }} for literal braces",
                        index);
  };
  for (std::size_t i = 0; i < destination.urls.size(); ++i) {
    const Result<HttpUrl> url = parse_http_url(destination.urls[i]);
    if (url.ok()) must_be_constant("url", i, url.value().target, EventTemplate::Place::url);
  }
  must_be_constant("method", 0, destination.method, EventTemplate::Place::method);
  for (std::size_t i = 0; i < destination.headers.size(); ++i) {
    must_be_constant("header", i, destination.headers[i], EventTemplate::Place::header);
  }
}

/// A redaction holds for every part of a request.
void validate_redaction(const DestinationConfig& destination, const SectionView& section) {
  const Result<FieldRules> rules = read_field_rules(destination);
  if (!rules.ok()) return;
  const auto look = [&](const std::string& key, std::size_t index, std::string_view text,
                        EventTemplate::Place place) {
    Result<EventTemplate> parsed = EventTemplate::parse(text, place);
    if (!parsed.ok()) return;
    for (const std::string& name : parsed.value().redact(rules.value())) {
      section.warn_of(key,
                      "{" + name + "} is redacted, so each request contains " +
                          std::string(redacted_text) + " there",
                      index);
    }
  };
  for (std::size_t i = 0; i < destination.urls.size(); ++i) {
    const Result<HttpUrl> url = parse_http_url(destination.urls[i]);
    if (url.ok()) look("url", i, url.value().target, EventTemplate::Place::url);
  }
  look("method", 0, destination.method, EventTemplate::Place::method);
  for (std::size_t i = 0; i < destination.headers.size(); ++i) {
    look("header", i, destination.headers[i], EventTemplate::Place::header);
  }
}

/// Everyone who can read the file can read a secret in it.
void validate_plain_secrets(const DestinationConfig& destination, const SectionView& section) {
  for (std::size_t i = 0; i < destination.headers.size() && !section.has_failed("header"); ++i) {
    const std::string& header = destination.headers[i];
    const Result<EventTemplate> line = EventTemplate::parse(header, EventTemplate::Place::header);
    const std::string name = header_name(header);
    if (!line.ok() || !line.value().is_constant() || !sounds_secret(name)) continue;
    section.warn_of("header",
                    in_quotes(name) + " looks like a secret; put the value into secret_header", i);
  }
}

void validate_method(const DestinationConfig& destination, const SectionView& section) {
  if (destination.method != "HEAD" || section.has_failed("method")) return;
  section.warn_of(
      "method",
      "HEAD requests have no body; the receiver gets only the event fields in url and header");
}

void validate_connection(const DestinationConfig& destination, const SectionView& section) {
  const bool has_proxy = destination.proxy != "none";
  if (has_proxy && destination.deny_private_addresses && !section.has_failed("proxy")) {
    section.complain_of("deny_private_addresses",
                        "requires proxy = none, because the sidecar does not see which "
                        "addresses a proxy connects to");
  }
  if (!has_proxy && section.is_given("proxy_auth_file")) {
    section.complain_of("proxy_auth_file", "requires a proxy; set proxy");
  }
  if (section.is_given("connect_timeout") && !section.has_failed("connect_timeout") &&
      !section.has_failed("timeout") && destination.connect_timeout > destination.timeout) {
    section.warn_of("connect_timeout",
                    format_duration(destination.connect_timeout) + " exceeds timeout (" +
                        format_duration(destination.timeout) + "), which ends the request first");
  }
}

/// A redirect may lead to https.
void validate_tls(const DestinationConfig& destination, const SectionView& section) {
  if (destination.urls.empty() || section.has_failed("url") || destination.redirects_max > 0) {
    return;
  }
  const bool is_plain =
      std::all_of(destination.urls.begin(), destination.urls.end(), [](const std::string& text) {
        const Result<HttpUrl> url = parse_http_url(text);
        return url.ok() && !url.value().is_tls;
      });
  if (!is_plain) return;
  for (const char* key : {"ca_file", "cert_file", "tls_version_min", "tls_server_name"}) {
    if (section.is_given(key)) section.warn_of(key, "has no effect: no url is https");
  }
}

void validate_identity(const DestinationConfig& destination, const SectionView& section) {
  if (section.is_given("key_file") && !section.is_given("cert_file")) {
    section.complain_of("key_file", "requires cert_file");
  }
  if (section.is_given("cert_file") && !section.has_failed("cert_file") &&
      !section.has_failed("key_file")) {
    const Status pair = check_key_pair_files(destination.cert_file, destination.key_file);
    if (!pair.ok()) section.complain_of("cert_file", pair.error().message);
  }
}

}  // namespace

void validate_http(const DestinationConfig& destination, const SectionView& section) {
  validate_urls(destination, section);
  validate_templates(destination, section);
  validate_redaction(destination, section);
  validate_method(destination, section);
  validate_connection(destination, section);
  validate_tls(destination, section);
  validate_identity(destination, section);
  validate_headers(destination, section);
  validate_plain_secrets(destination, section);
}

}  // namespace outrider::sidecar
