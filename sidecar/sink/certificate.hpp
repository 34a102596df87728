// Certificate: a key and a self-signed certificate for this machine's loopback names.
//
// Used by `outrider sink`, so that HTTPS can be tried without preparation. A client trusts it by
// naming the written file as its CA file. Owns: OpenSSL's objects. Fails with: Error.
#pragma once

#include <memory>
#include <string>

#include "sidecar/base/result.hpp"

// OpenSSL's own names for its types; its headers stay in the source.
struct x509_st;
struct evp_pkey_st;

namespace outrider::sidecar {

class Certificate {
 public:
  /// Makes an EC P-256 key and a certificate for localhost, 127.0.0.1 and ::1, valid from an hour
  /// ago for a year.
  static Result<Certificate> make_self_signed();

  /// Reads PEM files.
  static Result<Certificate> read(const std::string& cert_file, const std::string& key_file);

  /// Writes the certificate, not the key, as PEM.
  Status write(const std::string& file) const;

  x509_st* x509() const { return x509_.get(); }
  evp_pkey_st* key() const { return key_.get(); }

 private:
  struct Free {
    void operator()(x509_st* x509) const;
    void operator()(evp_pkey_st* key) const;
  };

  std::unique_ptr<x509_st, Free> x509_;
  std::unique_ptr<evp_pkey_st, Free> key_;
};

}  // namespace outrider::sidecar
