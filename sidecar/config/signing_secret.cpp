#include "sidecar/config/signing_secret.hpp"

#include <optional>

#include <openssl/evp.h>

#include "sidecar/base/handle.hpp"
#include "sidecar/config/secret.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t hmac_bytes_min = 16;
constexpr std::size_t hmac_bytes_max = 512;
constexpr std::size_t seed_bytes = 32;
constexpr std::size_t public_key_bytes = 32;

const unsigned char* as_unsigned(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// Standard base64; the padding may be left out.
std::optional<std::string> decode_base64(std::string_view text) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr std::size_t text_bytes_max = 4096;
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() > text_bytes_max || text.size() % 4 == 1 ||
      text.find_first_not_of(alphabet) != std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t padding = (4 - text.size() % 4) % 4;
  const std::string padded = std::string(text) + std::string(padding, '=');
  std::string bytes(padded.size() / 4 * 3, '\0');
  EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), as_unsigned(padded),
                  static_cast<int>(padded.size()));
  bytes.resize(bytes.size() - padding);
  return bytes;
}

bool is_public_key_of(const std::string& public_key, const std::string& seed) {
  const Handle<EVP_PKEY, EVP_PKEY_free> key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, as_unsigned(seed), seed.size()));
  std::string derived(public_key_bytes, '\0');
  std::size_t size = derived.size();
  return key != nullptr &&
         EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(derived.data()),
                                     &size) == 1 &&
         derived == public_key;
}

Result<SigningSecret> make_ed25519(const std::string& bytes) {
  const std::string seed = bytes.substr(0, seed_bytes);
  if (bytes.size() == seed_bytes) return SigningSecret{SigningSecret::Kind::ed25519, seed};
  if (bytes.size() != seed_bytes + public_key_bytes) {
    return Error{"an ed25519 key (whsk_) has 32 or 64 bytes, this one has " +
                 std::to_string(bytes.size())};
  }
  if (!is_public_key_of(bytes.substr(seed_bytes), seed)) {
    return Error{"the two halves of the ed25519 key (whsk_) do not belong together"};
  }
  return SigningSecret{SigningSecret::Kind::ed25519, seed};
}

}  // namespace

Result<SigningSecret> parse_signing_secret(std::string_view text) {
  constexpr std::string_view hmac_prefix = "whsec_";
  constexpr std::string_view ed25519_prefix = "whsk_";
  if (text.starts_with("whpk_")) {
    return Error{"a public key (whpk_) cannot sign; write the secret key (whsk_)"};
  }
  const bool is_ed25519 = text.starts_with(ed25519_prefix);
  const bool is_hmac = text.starts_with(hmac_prefix);
  const bool has_prefix = is_ed25519 || is_hmac;
  if (is_ed25519) text.remove_prefix(ed25519_prefix.size());
  if (is_hmac) text.remove_prefix(hmac_prefix.size());
  const std::optional<std::string> bytes = decode_base64(text);
  if (!bytes) {
    return Error{std::string(has_prefix ? "" : "it has no prefix and is not base64; ") +
                 "write a signing secret as whsec_BASE64 or whsk_BASE64"};
  }
  if (is_ed25519) return make_ed25519(*bytes);
  if (bytes->size() < hmac_bytes_min || bytes->size() > hmac_bytes_max) {
    return Error{
        std::string(has_prefix ? "" : "it has no prefix, so it was read as base64 for whsec_; ") +
        "an HMAC secret (whsec_) has " + std::to_string(hmac_bytes_min) + " to " +
        std::to_string(hmac_bytes_max) + " bytes, this one has " + std::to_string(bytes->size())};
  }
  return SigningSecret{SigningSecret::Kind::hmac, *bytes};
}

Result<std::vector<SigningSecret>> read_signing_secrets(std::string_view source) {
  const Result<std::vector<std::string>> lines = read_secret_lines(source);
  if (!lines.ok()) return lines.error();
  std::vector<SigningSecret> secrets;
  for (const std::string& line : lines.value()) {
    Result<SigningSecret> secret = parse_signing_secret(line);
    if (!secret.ok()) {
      return secret.error().with_prefix(describe_source(source) + ", secret " +
                                        std::to_string(secrets.size() + 1));
    }
    secrets.push_back(std::move(secret.value()));
  }
  return secrets;
}

Status check_signing_source(std::string_view source) {
  return status_of(read_signing_secrets(source));
}

}  // namespace outrider::sidecar
