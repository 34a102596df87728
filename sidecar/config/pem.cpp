#include "sidecar/config/pem.hpp"

#include <algorithm>
#include <array>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "sidecar/base/handle.hpp"
#include "sidecar/config/file.hpp"
#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {
namespace {

using Bio = Handle<BIO, BIO_free>;
using X509Ptr = Handle<X509, X509_free>;
using KeyPtr = Handle<EVP_PKEY, EVP_PKEY_free>;
using ContextPtr = Handle<SSL_CTX, SSL_CTX_free>;

Bio open_text(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// Without it OpenSSL would ask for the passphrase at the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*for_writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

X509Ptr next_certificate(BIO* text) {
  bool asked = false;
  return X509Ptr(PEM_read_bio_X509_AUX(text, nullptr, &no_passphrase, &asked));
}

/// The key, or an Error; leaves OpenSSL's queue of errors empty.
Result<KeyPtr> read_key(std::string_view pem) {
  const Bio text = open_text(pem);
  bool asked = false;
  KeyPtr key(PEM_read_bio_PrivateKey(text.get(), nullptr, &no_passphrase, &asked));
  ERR_clear_error();
  if (key != nullptr) return key;
  if (asked) return Error{"holds a key with a passphrase; write it without one"};
  return Error{"holds no private key in PEM"};
}

/// OpenSSL's last error, in words if it is about strength; empties its queue.
std::string why_refused() {
  const unsigned long error = ERR_peek_last_error();
  const char* const said = ERR_reason_error_string(error);
  const bool is_of_tls = ERR_GET_LIB(error) == ERR_LIB_SSL;
  const int reason = is_of_tls ? ERR_GET_REASON(error) : 0;
  ERR_clear_error();
  switch (reason) {
    case SSL_R_EE_KEY_TOO_SMALL:
    case SSL_R_CA_KEY_TOO_SMALL:
      return "its key is too short";
    case SSL_R_CA_MD_TOO_WEAK:
      return "it is signed with a hash that is too weak";
    default:
      return said == nullptr ? "without giving a reason" : said;
  }
}

/// As each connection has one.
Result<ContextPtr> make_context() {
  ContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (context != nullptr) return context;
  return Error{"cannot be checked: " + why_refused()};
}

/// Loads a client's certificates into `context`, the first as its own, the others as its chain, the
/// way libcurl does it for each connection.
Status load_identity(SSL_CTX* context, std::string_view pem) {
  int count = 0;
  std::string refusal;
  Status status = visit_certificates(pem, [&](X509* certificate) {
    ++count;
    const bool is_taken = count == 1 ? SSL_CTX_use_certificate(context, certificate) == 1
                                     : SSL_CTX_add1_chain_cert(context, certificate) == 1;
    if (is_taken || !refusal.empty()) return;
    refusal = "holds a certificate, number " + std::to_string(count) +
              ", that TLS does not take: " + why_refused();
  });
  if (!status.ok() || refusal.empty()) return status;
  return Error{refusal};
}

/// The strength that OpenSSL asks of each key of a chain, that of its root too.
int key_bits_min(const SSL_CTX* context) {
  constexpr std::array bits_of_levels = {0, 80, 112, 128, 192, 256};
  const auto level = static_cast<std::size_t>(std::max(0, SSL_CTX_get_security_level(context)));
  return bits_of_levels[std::min(level, bits_of_levels.size() - 1)];
}

template <typename Check>
Status check_file(std::string_view path, Check check) {
  const Result<std::string> pem = read_regular_file(std::string(path), pem_file_bytes_max);
  if (!pem.ok()) return pem.error();
  const Status status = check(pem.value());
  if (status.ok()) return Nothing{};
  return Error{"file " + in_quotes(path) + " " + status.error().message};
}

}  // namespace

Status visit_certificates(std::string_view pem, const std::function<void(x509_st*)>& visit) {
  const Bio text = open_text(pem);
  int count = 0;
  while (const X509Ptr certificate = next_certificate(text.get())) {
    visit(certificate.get());
    ++count;
  }
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!is_end) {
    return Error{"holds a damaged certificate, number " + std::to_string(count + 1)};
  }
  if (count == 0) return Error{"holds no certificate in PEM"};
  return Nothing{};
}

Status check_certificates(std::string_view pem) {
  return visit_certificates(pem, [](X509*) {});
}

Status check_client_certificates(std::string_view pem) {
  const Result<ContextPtr> context = make_context();
  if (!context.ok()) return context.error();
  return load_identity(context.value().get(), pem);
}

Status check_authorities(std::string_view pem, const std::function<void(x509_st*)>& visit) {
  const Result<ContextPtr> context = make_context();
  if (!context.ok()) return context.error();
  const int bits_min = key_bits_min(context.value().get());
  bool has_strong = false;
  Status status = visit_certificates(pem, [&](X509* certificate) {
    EVP_PKEY* const key = X509_get0_pubkey(certificate);
    has_strong = has_strong || (key != nullptr && EVP_PKEY_get_security_bits(key) >= bits_min);
    visit(certificate);
  });
  ERR_clear_error();
  if (!status.ok() || has_strong) return status;
  return Error{"holds no certificate that TLS takes: the key of each is too short"};
}

Status check_key(std::string_view pem) {
  return status_of(read_key(pem));
}

Status check_key_pair(std::string_view cert_pem, std::string_view key_pem) {
  const Result<KeyPtr> key = read_key(key_pem);
  if (!key.ok()) return key.error();
  const Bio text = open_text(cert_pem);
  const X509Ptr certificate = next_certificate(text.get());
  const bool is_pair =
      certificate != nullptr && X509_check_private_key(certificate.get(), key.value().get()) == 1;
  ERR_clear_error();
  if (!is_pair) return Error{"holds a key that is not the certificate's"};
  const Result<ContextPtr> context = make_context();
  if (!context.ok()) return context.error();
  Status status = load_identity(context.value().get(), cert_pem);
  if (status.ok() && SSL_CTX_use_PrivateKey(context.value().get(), key.value().get()) != 1) {
    status = Error{"holds a key that TLS does not take: " + why_refused()};
  }
  return status;
}

Status check_ca_file(std::string_view path) {
  return check_file(path,
                    [](std::string_view pem) { return check_authorities(pem, [](X509*) {}); });
}

Status check_cert_file(std::string_view path) {
  return check_file(path, check_client_certificates);
}

Status check_key_file(std::string_view path) {
  return check_file(path, check_key);
}

Status check_key_pair_files(const std::string& cert_file, const std::string& key_file) {
  const Result<std::string> cert = read_regular_file(cert_file, pem_file_bytes_max);
  if (!cert.ok()) return cert.error();
  return check_file(key_file.empty() ? cert_file : key_file,
                    [&](const std::string& key) { return check_key_pair(cert.value(), key); });
}

}  // namespace outrider::sidecar
