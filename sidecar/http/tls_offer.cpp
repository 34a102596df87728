#include "sidecar/http/tls_offer.hpp"

#include <algorithm>
#include <array>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace outrider::sidecar {

std::string tls_ciphers() {
  return "DEFAULT:!kDHE:!kDHEPSK";
}

std::string tls_ciphers_of(std::uint64_t owner) {
  return tls_ciphers() + ":!outrider-" + std::to_string(owner);
}

bool offer_elliptic_groups(ssl_ctx_st* context) {
  // A list with a group that is not there is refused as a whole, and FIPS has the second alone.
  constexpr std::array lists = {"X25519:P-256:X448:P-521:P-384", "P-256:P-521:P-384"};
  const bool is_set = std::ranges::any_of(
      lists, [&](const char* list) { return SSL_CTX_set1_groups_list(context, list) == 1; });
  ERR_clear_error();
  return is_set;
}

}  // namespace outrider::sidecar
