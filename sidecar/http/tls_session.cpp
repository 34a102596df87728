#include "sidecar/http/tls_session.hpp"

#include <string_view>

#include <openssl/ssl.h>

namespace outrider::sidecar {

bool has_agreed_on_http2(const ssl_st* session) {
  const unsigned char* name = nullptr;
  unsigned bytes = 0;
  SSL_get0_alpn_selected(session, &name, &bytes);
  return std::string_view(reinterpret_cast<const char*>(name), bytes) == "h2";
}

}  // namespace outrider::sidecar
