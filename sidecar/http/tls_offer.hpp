// The sidecar's offer in a TLS handshake: OpenSSL's default ciphers and groups, without
// Diffie-Hellman over finite fields.
//
// With that, the receiver chooses the prime, of up to 10,000 bits, and one handshake blocks the
// sidecar's thread for more than a second; ffdhe8192 of TLS 1.3 takes a tenth of a second. The few
// elliptic groups have a known cost of one or two milliseconds at most. Used by CurlDriver and
// CurlRequest. Pure functions.
#pragma once

#include <cstdint>
#include <string>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace outrider::sidecar {

/// Those of TLS 1.2; TLS 1.3 has none that does not fit.
std::string tls_ciphers();

/// The same, with a name that OpenSSL knows nothing about and ignores. libcurl compares the list
/// when it looks for a connection, so connections with one `owner` are not used with another.
std::string tls_ciphers_of(std::uint64_t owner);

/// False: this OpenSSL has none of them.
bool offer_elliptic_groups(ssl_ctx_st* context);

}  // namespace outrider::sidecar
