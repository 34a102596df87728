// Checks whether certificates and keys in PEM can be used, before anything is sent. OpenSSL has a
// security level and refuses valid but weak keys whenever a connection is made; so it is asked
// here.
//
// Used by the option table (`outrider check`) and by http/credentials.cpp. Pure except for the file
// checks. At most 4 MiB per file. Fails with: an Error that shows nothing of a key.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "sidecar/base/result.hpp"

struct x509_st;  // OpenSSL's X509

namespace outrider::sidecar {

inline constexpr std::size_t pem_file_bytes_max = 4U << 20U;

/// Parses one or more certificates and shows each, which lives as long as the call. Fails if there
/// is none, or at the first that cannot be parsed.
Status visit_certificates(std::string_view pem, const std::function<void(x509_st*)>& visit);

/// One or more certificates, each of which can be parsed.
Status check_certificates(std::string_view pem);

/// The same, and TLS takes the first as a client's, and the others as its chain.
Status check_client_certificates(std::string_view pem);

/// Visits as visit_certificates() does. Fails too if no chain of TLS may end with any of them.
Status check_authorities(std::string_view pem, const std::function<void(x509_st*)>& visit);

/// A private key without a passphrase.
Status check_key(std::string_view pem);

/// The key is that of the first certificate, and TLS takes both.
Status check_key_pair(std::string_view cert_pem, std::string_view key_pem);

// The same for files. Whether cert_file and key_file belong together is checked for both at once;
// an empty key_file means that the key is in cert_file.
Status check_ca_file(std::string_view path);
Status check_cert_file(std::string_view path);
Status check_key_file(std::string_view path);
Status check_key_pair_files(const std::string& cert_file, const std::string& key_file);

}  // namespace outrider::sidecar
