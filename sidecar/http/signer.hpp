// Signer: signs requests as Standard Webhooks (standardwebhooks.com) do, with HMAC-SHA256 (v1) or
// ed25519 (v1a), and with several keys during a rotation.
//
// Used by CurlTransport, with the keys of the destination's Credentials. A key is made once and
// used for every request; OpenSSL does the work. Thread: a key is used by one thread at a time. A
// body is not copied for HMAC; ed25519 reads it twice and needs it in one piece, so it makes one
// copy.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/result.hpp"
#include "sidecar/config/signing_secret.hpp"

// OpenSSL's own names for its types; its headers stay in the source.
struct evp_mac_ctx_st;
struct evp_pkey_st;

namespace outrider::sidecar {

class SigningKey {
 public:
  /// Fails if OpenSSL does not take the key.
  static Result<SigningKey> make(const SigningSecret& secret);

  /// Appends "v1,BASE64" or "v1a,BASE64". False if OpenSSL fails, as when memory is out.
  bool append_signature(std::string_view head, std::string_view body, std::string& out) const;

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* hmac) const;
    void operator()(evp_pkey_st* ed25519) const;
  };

  // One of the two.
  std::unique_ptr<evp_mac_ctx_st, Free> hmac_;
  std::unique_ptr<evp_pkey_st, Free> ed25519_;
};

/// The value of webhook-id: `id`, with each full stop as %2E and each % as %25. The signed text is
/// ID.TIMESTAMP.BODY, so with a full stop in the id it could be read in two ways.
std::string webhook_id(std::string_view id);

/// The value of webhook-signature: one signature a key, in their order, joined by blanks. Empty if
/// OpenSSL fails.
std::string sign(const std::vector<SigningKey>& keys, std::string_view id, std::int64_t timestamp_s,
                 std::string_view body);

}  // namespace outrider::sidecar
