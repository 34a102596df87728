// HttpUrl: the url of an http destination, in its parts.
//
//     https://HOST[:PORT][/PATH][?QUERY]
//     http://unix:/PATH/OF/SOCKET[:/PATH][?QUERY]       a Unix socket, as nginx writes it
//
// Used by the checks of the configuration and by the http transport. The part after the authority
// may be a template (event_template.hpp). Pure values. Fails with: an Error that says what to write
// and shows no password.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

struct HttpUrl {
  bool is_tls = false;
  std::string host;  ///< an IPv6 address in its brackets; localhost for a Unix socket
  std::uint16_t port = 0;
  std::string unix_path;  ///< empty: TCP
  std::string target;     ///< path and query, from its slash on

  /// HOST, and :PORT where it is not the scheme's own: the Host header.
  std::string authority() const;

  /// Scheme, host and port, as they begin a url; or the Unix socket.
  std::string origin() const;

  /// The receiver's name in errors: HOST:PORT or unix:PATH.
  std::string peer() const;

  /// Scheme, host and port are the same.
  bool has_same_origin(const HttpUrl& other) const;
};

/// A user and password in the url are refused, and so are port 0 and a host that no name server and
/// no certificate has: names in other letters than ASCII are written as xn--...
Result<HttpUrl> parse_http_url(std::string_view url);

/// The kind of the host's address (private_address.hpp) if the host is an address in any notation,
/// and not a public one. Asks no name server.
std::optional<std::string_view> private_range_of(const HttpUrl& url);

/// The host is this machine, by its name or address.
bool is_this_machine(const HttpUrl& url);

}  // namespace outrider::sidecar
