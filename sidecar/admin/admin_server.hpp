// AdminServer: the admin interface of a running sidecar: its socket, its secrets, its routes.
//
// Used by Host, which opens it last and closes it first. All that it knows comes from snapshots;
// all that it changes goes through the control queue. Its descriptors are set aside beside those
// for deliveries (SocketGate::reserve).
//
// Thread: all calls come from the sidecar's; the server has one of its own. Owns:
// the socket's path and the server. Borrows: what AdminWorld refers to. Fails with: an Error that
// names the address or file and what to do.
#pragma once

#include <cstddef>
#include <memory>

#include "sidecar/admin/http_server.hpp"
#include "sidecar/admin/routes.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/admin_address.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/net/ipc_endpoints.hpp"

namespace outrider::sidecar {

class AdminServer {
 public:
  /// Null if the configuration asks for none.
  static Result<std::unique_ptr<AdminServer>> open(const Config& config, AdminWorld world);
  ~AdminServer();

  /// Puts back the socket's file if it was removed. To be called once in
  /// IpcEndpoints::upkeep_period.
  void look_after() { place_.look_after(); }

  /// How many connections it takes in a process that may have so many descriptors.
  static std::size_t connections_max(std::size_t descriptors_max);
  /// How many descriptors are set aside then; 0 if the configuration asks for none.
  static std::size_t descriptors_needed(const Config& config, std::size_t descriptors_max);

 private:
  AdminServer(AdminWorld world, AccessRules rules, std::size_t descriptors);
  /// Sets listener_, and the address to the one that it has then.
  Status listen(const AdminConfig& admin, AdminAddress& address);
  Status take(int listener_fd);

  OwnedDescriptor listener_;  ///< until there is a server
  IpcEndpoints place_;        ///< of a Unix socket
  Routes routes_;
  std::size_t descriptors_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace outrider::sidecar
