// The parameters of a TLS connection and the data that it holds, which libcurl does not show. Used
// by Connections and CurlRequest. Pure functions.
#pragma once

#include <array>

struct ssl_st;

namespace outrider::sidecar {

/// Of one connection: the object that libcurl reads from, and the one below it if a proxy speaks
/// TLS too. Null: none. They live as long as libcurl has the connection's socket open.
using TlsSessions = std::array<const ssl_st*, 2>;

/// By ALPN.
bool has_agreed_on_http2(const ssl_st* session);

/// Data has arrived that was not read, even if only a part of a record. The kernel's socket shows
/// nothing of it.
bool have_unread_input(const TlsSessions& sessions);

}  // namespace outrider::sidecar
