// Access: who may use the admin interface, beyond those that its Unix socket lets in, and what it
// shows to them.
//
// Used by Routes for everything but /healthz, /readyz and /metrics. A browser is kept out even
// where a tunnel leads it to the Unix socket: its Host must not be a name (a page may have made its
// own name lead here), and its Origin must be that Host. Pure functions. Fails with: an answer that
// says what to send.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sidecar/admin/http_message.hpp"
#include "sidecar/config/config.hpp"

namespace outrider::sidecar {

struct AccessRules {
  std::string token = {};  ///< empty: the socket's mode says who may
  bool is_read_only = false;
  bool has_tls = false;  ///< the client has checked our name then
  Payloads payloads = Payloads::redacted;
  std::string endpoint = {};  ///< shared_place_mark(), which a command may send to find its sidecar
};

/// 401 without the token; 403 for a browser that something else has sent here.
std::optional<HttpAnswer> refuse_stranger(const HttpRequest& head, const AccessRules& rules);

/// The header with the mark that a command expects.
inline constexpr const char* endpoint_header = "outrider-endpoint";
/// 421 for a command that looks for another sidecar.
std::optional<HttpAnswer> refuse_misdirected(const HttpRequest& head, const AccessRules& rules);

/// Of a request that changes something: 403 if nothing may change, 415 for what a form can send.
std::optional<HttpAnswer> refuse_change(const HttpRequest& head, const AccessRules& rules);

/// Takes as long for each `given` of the same length.
bool is_same_secret(std::string_view given, std::string_view secret);

/// localhost or an IP address, with or without a port.
bool is_address(std::string_view host);

}  // namespace outrider::sidecar
