#include "sidecar/http/tls_session.hpp"

#include <algorithm>
#include <string_view>

#include <openssl/ssl.h>

namespace outrider::sidecar {

bool has_agreed_on_http2(const ssl_st* session) {
  const unsigned char* name = nullptr;
  unsigned bytes = 0;
  SSL_get0_alpn_selected(session, &name, &bytes);
  return std::string_view(reinterpret_cast<const char*>(name), bytes) == "h2";
}

bool have_unread_input(const TlsSessions& sessions) {
  return std::ranges::any_of(sessions, [](const ssl_st* session) {
    return session != nullptr && SSL_has_pending(session) == 1;
  });
}

}  // namespace outrider::sidecar
