#include "sidecar/config/pem.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "sidecar/base/handle.hpp"
#include "sidecar/config/file.hpp"
#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {
namespace {

using Bio = Handle<BIO, BIO_free>;
using X509Ptr = Handle<X509, X509_free>;
using KeyPtr = Handle<EVP_PKEY, EVP_PKEY_free>;

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
  if (is_pair) return Nothing{};
  return Error{"holds a key that is not the certificate's"};
}

Status check_ca_file(std::string_view path) {
  return check_file(path, check_certificates);
}

Status check_cert_file(std::string_view path) {
  return check_file(path, check_certificates);
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
