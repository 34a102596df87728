#include "sidecar/config/validate_admin.hpp"

#include "sidecar/config/admin_address.hpp"
#include "sidecar/config/pem.hpp"
#include "sidecar/config/secret_files.hpp"

namespace outrider::sidecar {
namespace {

using Kind = AdminAddress::Kind;

void validate_reach(const AdminAddress& address, const AdminConfig& admin,
                    const SectionView& section) {
  if (address.kind != Kind::tcp) return;
  if (admin.token_file.empty() && !section.has_failed("token_file")) {
    section.complain_of("listen",
                        "tcp requires a token; set token_file, or listen on a unix socket");
  }
  if (!address.is_local() && admin.cert_file.empty() && !section.has_failed("cert_file")) {
    section.complain_of("listen",
                        "other machines can reach " + address.text() +
                            ", which requires TLS; set cert_file, or listen on 127.0.0.1");
  }
}

void validate_certificate(const AdminConfig& admin, const SectionView& section) {
  if (section.is_given("key_file") && !section.is_given("cert_file")) {
    section.complain_of("key_file", "requires cert_file");
  }
  if (admin.cert_file.empty() || section.has_failed("cert_file") ||
      section.has_failed("key_file")) {
    return;
  }
  const Status pair = check_key_pair_files(admin.cert_file, admin.key_file);
  if (!pair.ok()) section.complain_of("cert_file", pair.error().message);
}

void warn_of_no_effect(Kind kind, const SectionView& section) {
  for (const char* key : {"socket_mode", "socket_group"}) {
    if (kind == Kind::tcp && section.is_given(key)) {
      section.warn_of(key, "has no effect: the admin interface has no unix socket");
    }
  }
  for (const char* key : {"cert_file", "key_file"}) {
    if (kind == Kind::unix_socket && section.is_given(key)) {
      section.complain_of(key, "applies only with listen = tcp://ADDRESS:PORT");
    }
  }
}

}  // namespace

void validate_admin(const Config& config, const SectionView& section) {
  const AdminConfig& admin = config.admin;
  validate_certificate(admin, section);
  warn_of_source("token_file", admin.token_file, 0, section);
  const bool has_key_file = !admin.key_file.empty();
  warn_of_source(has_key_file ? "key_file" : "cert_file",
                 has_key_file ? admin.key_file : admin.cert_file, 0, section);
  if (section.has_failed("listen")) return;
  const AdminAddress address = admin_address(config);
  validate_reach(address, admin, section);
  warn_of_no_effect(address.kind, section);
  if (address.kind == Kind::unix_socket && !section.has_failed("socket_mode") &&
      (admin.socket_mode & 0002U) != 0 && admin.token_file.empty()) {
    section.warn_of("socket_mode",
                    "every user of this machine can stop the sidecar; set 0660, and socket_group");
  }
}

}  // namespace outrider::sidecar
