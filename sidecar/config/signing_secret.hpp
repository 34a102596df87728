// Signing secrets, as Standard Webhooks (standardwebhooks.com) writes them:
//
//   whsec_BASE64, or BASE64 alone   HMAC-SHA256; 24 to 64 bytes are recommended, 16 to 512 taken
//   whsk_BASE64                     ed25519: the seed (32 bytes), or the seed and the public key
//
// Used by the option table for its check and by http/signer.cpp. Pure values.
// Fails with: an Error that never shows the secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

struct SigningSecret {
  enum class Kind : std::uint8_t { hmac, ed25519 };

  Kind kind = Kind::hmac;
  std::string bytes;  ///< the HMAC key, or the 32 bytes of the ed25519 seed
};

Result<SigningSecret> parse_signing_secret(std::string_view text);

/// All secrets of a source (secret.hpp), one a line, the newest first.
Result<std::vector<SigningSecret>> read_signing_secrets(std::string_view source);

/// The source can be read and holds signing secrets.
Status check_signing_source(std::string_view source);

}  // namespace outrider::sidecar
