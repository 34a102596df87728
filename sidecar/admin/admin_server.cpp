#include "sidecar/admin/admin_server.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "sidecar/admin/tcp_listener.hpp"
#include "sidecar/config/file.hpp"
#include "sidecar/config/pem.hpp"
#include "sidecar/config/secret.hpp"
#include "sidecar/net/socket_gate.hpp"

namespace outrider::sidecar {
namespace {

using Kind = AdminAddress::Kind;

constexpr std::size_t places_max = 64;
constexpr std::size_t places_min = 4;
/// One descriptor in this many.
constexpr std::size_t places_share = 16;
/// The lock of its path, besides those of the server.
constexpr std::size_t lock_descriptors = 1;

/// Reads the files that [admin] names.
Status read_files(const AdminConfig& admin, AccessRules& rules, HttpServerSettings& settings) {
  if (!admin.token_file.empty()) {
    Result<std::string> token = read_secret(admin.token_file);
    if (!token.ok()) return token.error().with_prefix("token_file");
    rules.token = std::move(token.value());
  }
  if (admin.cert_file.empty()) return Nothing{};
  const std::string& key_file = admin.key_file.empty() ? admin.cert_file : admin.key_file;
  Result<std::string> certificate = read_regular_file(admin.cert_file, pem_file_bytes_max);
  Result<std::string> key = read_regular_file(key_file, pem_file_bytes_max);
  if (!certificate.ok()) return certificate.error().with_prefix("cert_file");
  if (!key.ok()) return key.error().with_prefix("key_file");
  settings.certificate = std::move(certificate.value());
  settings.key = std::move(key.value());
  rules.has_tls = true;
  return Nothing{};
}

}  // namespace

std::size_t AdminServer::connections_max(std::size_t descriptors_max) {
  return std::clamp(descriptors_max / places_share, places_min, places_max);
}

std::size_t AdminServer::descriptors_needed(const Config& config, std::size_t descriptors_max) {
  if (admin_address(config).kind == Kind::none) return 0;
  return connections_max(descriptors_max) + HttpServer::own_descriptors + lock_descriptors;
}

Result<OwnedDescriptor> AdminServer::listen(const AdminConfig& admin, AdminAddress& address,
                                            std::optional<EndpointGuard>& guard) {
  if (address.kind == Kind::tcp) {
    const Result<int> fd = listen_on_tcp(address);
    if (!fd.ok()) return fd.error();
    return OwnedDescriptor(fd.value());
  }
  auto claimed = EndpointGuard::claim(address.path, admin.socket_mode, admin.socket_group);
  if (!claimed.ok()) return claimed.error();
  guard.emplace(std::move(claimed.value()));
  return OwnedDescriptor(guard->take_listener());
}

Result<std::unique_ptr<AdminServer>> AdminServer::open(const Config& config, AdminWorld world) {
  AdminAddress address = admin_address(config);
  if (address.kind == Kind::none) return std::unique_ptr<AdminServer>();
  const auto open_max = static_cast<std::size_t>(SocketGate::descriptors_max());
  AccessRules rules{.is_read_only = config.admin.read_only, .payloads = config.admin.payloads};
  HttpServerSettings settings;
  settings.connections_max = connections_max(open_max);
  if (Status read = read_files(config.admin, rules, settings); !read.ok()) {
    return read.error().with_prefix("[admin]");
  }
  std::optional<EndpointGuard> guard;
  auto listener = listen(config.admin, address, guard);
  if (!listener.ok()) return listener.error().with_prefix("[admin] listen");
  settings.listener = std::move(listener.value());
  SocketGate::keep_from_children(settings.listener.get());
  std::unique_ptr<AdminServer> server(new AdminServer(std::move(guard), world, std::move(rules),
                                                      descriptors_needed(config, open_max)));
  auto http = HttpServer::open(std::move(settings), server->routes_, world.clock);
  if (!http.ok()) return http.error().with_prefix("[admin]");
  server->server_ = std::move(http.value());
  world.log.info("the admin interface listens", {{"at", address.text()}});
  return server;
}

AdminServer::AdminServer(std::optional<EndpointGuard> guard, AdminWorld world, AccessRules rules,
                         std::size_t descriptors)
    : guard_(std::move(guard)), routes_(world, std::move(rules)), descriptors_(descriptors) {
  SocketGate::reserve(static_cast<int>(descriptors_));
}

AdminServer::~AdminServer() {
  SocketGate::reserve(-static_cast<int>(descriptors_));
}

}  // namespace outrider::sidecar
