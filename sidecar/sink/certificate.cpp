#include "sidecar/sink/certificate.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/base/handle.hpp"
#include "sidecar/config/file.hpp"
#include "sidecar/config/pem.hpp"

namespace outrider::sidecar {
namespace {

using Bio = Handle<BIO, BIO_free>;

Bio open_text(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// As the configuration's files are read: regular ones, bounded, no passphrase is asked for.
Result<std::string> read_pem(const std::string& what, const std::string& file,
                             Status (*check)(std::string_view)) {
  Result<std::string> pem = read_regular_file(file, pem_file_bytes_max);
  if (!pem.ok()) return pem.error();
  const Status status = check(pem.value());
  if (status.ok()) return pem;
  return Error{"cannot read a " + what + ": file " + file + " " + status.error().message};
}

/// The message with the reason that OpenSSL, or else the operating system, gives.
Error failure(const std::string& what) {
  std::string reason = std::generic_category().message(errno);
  if (const unsigned long code = ERR_peek_last_error(); code != 0) {
    char text[256];
    ERR_error_string_n(code, text, sizeof(text));
    reason = text;
  }
  ERR_clear_error();
  return {what + ": " + reason};
}

/// Null, and errno. It does not wait for a FIFO that has come there meanwhile.
std::FILE* open_to_write(const std::string& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
  return fd < 0 ? nullptr : ::fdopen(fd, "w");
}

bool add_extension(X509* x509, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, x509, x509, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(x509, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool set_random_serial(X509* x509) {
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial)) != 1) return false;
  return ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1U) == 1;
}

bool fill(X509* x509, EVP_PKEY* key) {
  constexpr long hour_s = 3600;
  X509_NAME* name = X509_get_subject_name(x509);
  const auto* common_name = reinterpret_cast<const unsigned char*>("outrider sink");
  return X509_set_version(x509, X509_VERSION_3) == 1 && set_random_serial(x509) &&
         X509_gmtime_adj(X509_getm_notBefore(x509), -hour_s) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(x509), 365 * 24 * hour_s) != nullptr &&
         X509_set_pubkey(x509, key) == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1 &&
         X509_set_issuer_name(x509, name) == 1 &&
         add_extension(x509, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
         add_extension(x509, NID_basic_constraints, "critical,CA:TRUE") &&
         add_extension(x509, NID_subject_key_identifier, "hash") &&
         X509_sign(x509, key, EVP_sha256()) != 0;
}

}  // namespace

void Certificate::Free::operator()(x509_st* x509) const {
  X509_free(x509);
}
void Certificate::Free::operator()(evp_pkey_st* key) const {
  EVP_PKEY_free(key);
}

Result<Certificate> Certificate::make_self_signed() {
  Certificate made;
  made.key_.reset(EVP_EC_gen("P-256"));
  made.x509_.reset(X509_new());
  if (made.key_ == nullptr || made.x509_ == nullptr || !fill(made.x509(), made.key())) {
    return failure("cannot create a self-signed certificate");
  }
  return made;
}

Result<Certificate> Certificate::read(const std::string& cert_file, const std::string& key_file) {
  Certificate made;
  const Result<std::string> cert = read_pem("certificate", cert_file, check_certificates);
  if (!cert.ok()) return cert.error();
  const Result<std::string> key = read_pem("private key", key_file, check_key);
  if (!key.ok()) return key.error();
  made.x509_.reset(PEM_read_bio_X509(open_text(cert.value()).get(), nullptr, nullptr, nullptr));
  made.key_.reset(PEM_read_bio_PrivateKey(open_text(key.value()).get(), nullptr, nullptr, nullptr));
  if (made.x509_ == nullptr) return failure("cannot read a certificate from " + cert_file);
  if (made.key_ == nullptr) return failure("cannot read a private key from " + key_file);
  if (X509_check_private_key(made.x509(), made.key()) != 1) {
    return failure(key_file + " is not the key of " + cert_file);
  }
  return made;
}

Status Certificate::write(const std::string& file) const {
  const std::string what = "cannot write the certificate to " + file;
  // Before it is opened: a FIFO would wait for a reader, and a device might do something.
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return Error{what + ": it is not a regular file"};
  }
  std::FILE* const out = open_to_write(file);
  if (out == nullptr) return failure(what);
  const bool written = PEM_write_X509(out, x509_.get()) == 1;
  const bool closed = std::fclose(out) == 0;
  if (!written || !closed) return failure(what);
  return Nothing{};
}

}  // namespace outrider::sidecar
