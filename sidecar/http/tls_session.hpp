// What a TLS connection has agreed on, as libcurl does not tell it.
// Used by CurlRequest. Pure functions.
#pragma once

struct ssl_st;

namespace outrider::sidecar {

/// By ALPN.
bool has_agreed_on_http2(const ssl_st* session);

}  // namespace outrider::sidecar
