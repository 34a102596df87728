#include "sidecar/http/signer.hpp"

#include <array>
#include <span>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "sidecar/base/handle.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t hmac_sha256_bytes = 32;
constexpr std::size_t ed25519_signature_bytes = 64;

const unsigned char* as_unsigned(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void append_base64(std::span<const unsigned char> bytes, std::string& out) {
  const std::size_t begin = out.size();
  const std::size_t text_bytes = (bytes.size() + 2) / 3 * 4;
  out.resize(begin + text_bytes + 1);  // EVP_EncodeBlock ends it with a zero
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data() + begin), bytes.data(),
                  static_cast<int>(bytes.size()));
  out.resize(begin + text_bytes);
}

EVP_MAC_CTX* make_hmac(std::string_view key) {
  const Handle<EVP_MAC, EVP_MAC_free> mac(EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr));
  if (mac == nullptr) return nullptr;
  EVP_MAC_CTX* hmac = EVP_MAC_CTX_new(mac.get());
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
  if (hmac != nullptr && EVP_MAC_init(hmac, as_unsigned(key), key.size(), params) == 1) return hmac;
  EVP_MAC_CTX_free(hmac);
  return nullptr;
}

bool append_hmac(EVP_MAC_CTX* hmac, std::string_view head, std::string_view body,
                 std::string& out) {
  std::array<unsigned char, hmac_sha256_bytes> signature;
  std::size_t size = signature.size();
  // Without a key: begin again with the one that it has.
  if (EVP_MAC_init(hmac, nullptr, 0, nullptr) != 1 ||
      EVP_MAC_update(hmac, as_unsigned(head), head.size()) != 1 ||
      EVP_MAC_update(hmac, as_unsigned(body), body.size()) != 1 ||
      EVP_MAC_final(hmac, signature.data(), &size, signature.size()) != 1) {
    return false;
  }
  out += "v1,";
  append_base64(signature, out);
  return true;
}

bool append_ed25519(EVP_PKEY* key, std::string_view head, std::string_view body, std::string& out) {
  std::string text;
  text.reserve(head.size() + body.size());
  text.append(head).append(body);
  std::array<unsigned char, ed25519_signature_bytes> signature;
  std::size_t size = signature.size();
  const Handle<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, as_unsigned(text), text.size()) != 1) {
    return false;
  }
  out += "v1a,";
  append_base64(signature, out);
  return true;
}

}  // namespace

void SigningKey::Free::operator()(evp_mac_ctx_st* hmac) const {
  EVP_MAC_CTX_free(hmac);
}
void SigningKey::Free::operator()(evp_pkey_st* ed25519) const {
  EVP_PKEY_free(ed25519);
}

Result<SigningKey> SigningKey::make(const SigningSecret& secret) {
  SigningKey key;
  if (secret.kind == SigningSecret::Kind::hmac) {
    key.hmac_.reset(make_hmac(secret.bytes));
  } else {
    key.ed25519_.reset(EVP_PKEY_new_raw_private_key(
        EVP_PKEY_ED25519, nullptr, as_unsigned(secret.bytes), secret.bytes.size()));
  }
  ERR_clear_error();
  if (key.hmac_ == nullptr && key.ed25519_ == nullptr) {
    return Error{"OpenSSL rejects the signing key"};
  }
  return key;
}

bool SigningKey::append_signature(std::string_view head, std::string_view body,
                                  std::string& out) const {
  const bool is_signed = hmac_ != nullptr ? append_hmac(hmac_.get(), head, body, out)
                                          : append_ed25519(ed25519_.get(), head, body, out);
  if (!is_signed) ERR_clear_error();
  return is_signed;
}

std::string webhook_id(std::string_view id) {
  std::string safe;
  for (const char c : id) {
    if (c == '.') {
      safe += "%2E";
    } else if (c == '%') {
      safe += "%25";
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string sign(const std::vector<SigningKey>& keys, std::string_view id, std::int64_t timestamp_s,
                 std::string_view body) {
  std::string head(id);
  head += '.';
  head += std::to_string(timestamp_s);
  head += '.';
  std::string signatures;
  for (const SigningKey& key : keys) {
    if (!signatures.empty()) signatures += ' ';
    if (!key.append_signature(head, body, signatures)) return {};
  }
  return signatures;
}

}  // namespace outrider::sidecar
