#include "sidecar/http/trust.hpp"

#include <utility>

#include <openssl/ssl.h>

#include "sidecar/config/pem.hpp"

namespace outrider::sidecar {

TrustStore::TrustStore(std::string id, std::string pem, std::shared_ptr<x509_store_st> store)
    : id_(std::move(id)), pem_(std::move(pem)), store_(std::move(store)) {}

Result<std::shared_ptr<const TrustStore>> TrustStore::make(std::string id, std::string pem) {
  const std::shared_ptr<X509_STORE> store(X509_STORE_new(), &X509_STORE_free);
  // As libcurl does it: a certificate of the file is trusted though it is not a root.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
  const Status status = check_authorities(
      pem, [&](X509* certificate) { X509_STORE_add_cert(store.get(), certificate); });
  if (!status.ok()) return status.error();
  return std::shared_ptr<const TrustStore>(new TrustStore(std::move(id), std::move(pem), store));
}

void TrustStore::use_in(ssl_ctx_st* context) const {
  SSL_CTX_set1_cert_store(context, store_.get());
}

Result<std::shared_ptr<const TrustStore>> TrustStores::read(const std::string& path) {
  // It looks before it reads, so that a change between the two is seen the next time.
  const FileState state = look_at_file(path);
  std::string id;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(path);
    if (found != entries_.end() && found->second.state == state) return found->second.store;
    id = std::to_string(++last_id_);
  }
  Result<std::string> pem = read_regular_file(path, pem_file_bytes_max);
  if (!pem.ok()) return pem.error();
  auto store = TrustStore::make(std::move(id), std::move(pem.value()));
  if (!store.ok()) store = Error{"file \"" + path + "\" " + store.error().message};
  const std::lock_guard lock(mutex_);
  return entries_.insert_or_assign(path, Entry{state, std::move(store)}).first->second.store;
}

}  // namespace outrider::sidecar
