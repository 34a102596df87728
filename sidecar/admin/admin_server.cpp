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
/// The lock of its path and the timer of its upkeep, besides those of the server.
constexpr std::size_t place_descriptors = 2;
/// DeadJobs has the spool open once more: the database, its log, its shared memory and its folder.
constexpr std::size_t dead_descriptors = 4;

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
  return connections_max(descriptors_max) + HttpServer::own_descriptors + place_descriptors +
         (config.spool.path.empty() ? 0 : dead_descriptors);
}

Status AdminServer::listen(const AdminConfig& admin, AdminAddress& address) {
  if (address.kind == Kind::unix_socket) {
    return place_.claim(address.text(), admin.socket_mode, admin.socket_group);
  }
  const Result<int> fd = listen_on_tcp(address);
  return fd.ok() ? take(fd.value()) : Status(fd.error());
}

Status AdminServer::take(int listener_fd) {
  SocketGate::keep_from_children(listener_fd);
  OwnedDescriptor listener(listener_fd);
  if (server_ != nullptr) {
    server_->listen_at(std::move(listener));
  } else {
    listener_ = std::move(listener);
  }
  return Nothing{};
}

Result<std::unique_ptr<AdminServer>> AdminServer::open(const Config& config, AdminWorld world) {
  AdminAddress address = admin_address(config);
  if (address.kind == Kind::none) return std::unique_ptr<AdminServer>();
  const auto open_max = static_cast<std::size_t>(SocketGate::descriptors_max());
  AccessRules rules{.is_read_only = config.admin.read_only,
                    .payloads = config.admin.payloads,
                    .endpoint = shared_place_mark(config)};
  HttpServerSettings settings;
  settings.connections_max = connections_max(open_max);
  if (Status read = read_files(config.admin, rules, settings); !read.ok()) {
    return read.error().with_prefix("[admin]");
  }
  std::unique_ptr<AdminServer> server(
      new AdminServer(world, std::move(rules), descriptors_needed(config, open_max)));
  if (Status listening = server->listen(config.admin, address); !listening.ok()) {
    return listening.error().with_prefix("[admin] listen");
  }
  settings.listener = std::move(server->listener_);
  auto http = HttpServer::open(std::move(settings), server->routes_, world.clock);
  if (!http.ok()) return http.error().with_prefix("[admin]");
  server->server_ = std::move(http.value());
  world.log.info("the admin interface listens", {{"at", address.text()}});
  return server;
}

AdminServer::AdminServer(AdminWorld world, AccessRules rules, std::size_t descriptors)
    : place_(world.log, [this](const std::string&, int fd) { return take(fd); }),
      routes_(world, std::move(rules)),
      descriptors_(descriptors) {
  SocketGate::reserve(static_cast<int>(descriptors_));
}

AdminServer::~AdminServer() {
  SocketGate::reserve(-static_cast<int>(descriptors_));
}

}  // namespace outrider::sidecar
