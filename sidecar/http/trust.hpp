// TrustStore: the certificates of one ca_file, parsed once and shared by every TLS connection that
// is verified against them. TrustStores: those of all files, read again when a file has changed.
//
// A bundle like the system's takes more than 10 ms to parse and a megabyte of memory; for each
// destination, or each connection, that would be too much. Used by CredentialStore, CurlRequest;
// CurlDriver owns the TrustStores. Thread: any. A TrustStore is immutable and stays valid after a
// change of the file as long as it is used. Fails with: an Error that names the file. A file that
// cannot be parsed is not parsed again until it changes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "sidecar/base/result.hpp"
#include "sidecar/config/file.hpp"

// OpenSSL's X509_STORE and SSL_CTX.
struct x509_store_st;
struct ssl_ctx_st;

namespace outrider::sidecar {

class TrustStore {
 public:
  /// `id` is of no other store.
  static Result<std::shared_ptr<const TrustStore>> make(std::string id, std::string pem);

  const std::string& id() const { return id_; }
  const std::string& pem() const { return pem_; }

  /// From now on the context trusts these certificates alone.
  void use_in(ssl_ctx_st* context) const;

 private:
  TrustStore(std::string id, std::string pem, std::shared_ptr<x509_store_st> store);

  const std::string id_;
  const std::string pem_;
  const std::shared_ptr<x509_store_st> store_;
};

class TrustStores {
 public:
  /// The present content of the file.
  Result<std::shared_ptr<const TrustStore>> read(const std::string& path);

 private:
  struct Entry {
    FileState state;
    Result<std::shared_ptr<const TrustStore>> store;
  };

  std::mutex mutex_;  ///< guards the members below; not held while a file is read
  std::map<std::string, Entry> entries_;  ///< by path
  std::uint64_t last_id_ = 0;
};

}  // namespace outrider::sidecar
