// HttpSettings: the common part of all requests of one http destination, computed once. Credentials
// (credentials.hpp) has the part that is read from files and may change. Used by CurlTransport and
// CurlRequest. A pure value.
#pragma once

#include <string>
#include <vector>

#include "sidecar/base/event_template.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/config/http_url.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

struct HttpSettings {
  struct Url {
    HttpUrl parts;
    EventTemplate target;
  };
  struct Header {
    EventTemplate line;
    bool is_of_body;  ///< Content-Type or User-Agent, which replace ours
  };

  std::vector<Url> urls;
  EventTemplate method;
  std::vector<std::string>
      body_headers;             ///< "Name: value": the description of the body and its sender
  std::vector<Header> headers;  ///< of the configuration
  bool needs_event;             ///< some template is not constant
  bool sets_host;               ///< Host is among the headers
  HttpVersion http_version;
  std::uint64_t redirects_max;
  std::string proxy;
  bool deny_private_addresses;
  TlsVersion tls_version_min;
  std::string tls_server_name;
  std::string tls_ciphers;  ///< as OpenSSL lists them
  Duration connection_age_max;
  Duration timeout;
  Duration connect_timeout;
  std::vector<StatusAction> status_actions;
};

/// Fails if a url, the method or a header is malformed; no error shows a secret.
Result<HttpSettings> make_http_settings(const DestinationConfig& config, const BodyKind& body);

}  // namespace outrider::sidecar
