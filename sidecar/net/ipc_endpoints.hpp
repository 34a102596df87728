// IpcEndpoints: binds a socket to the paths of its endpoints, and keeps the paths in place.
//
// Used by ZmqSocket (ipc://) and AdminServer (unix://). Each path is claimed by an EndpointGuard,
// which also gives it its owner and mode. A removed socket file or lock is restored, and a log line
// reports it. The old listening socket of an ipc endpoint stays with libzmq, because closing it
// would cut off its clients. So each return of such a path costs a descriptor.
//
// Thread: the sidecar's one; blocks only in claim() (see EndpointGuard). Owns: the paths. Borrows:
// the log. Fails with: an Error of the guard or of `bind` when an endpoint is claimed; later with a
// line in the log.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/net/endpoint_guard.hpp"

namespace outrider::sidecar {

class IpcEndpoints {
 public:
  static constexpr std::string_view scheme = "ipc://";
  /// How often a socket file that was removed is put back at once. After that, once in
  /// return_ticks, for each costs a descriptor.
  static constexpr int returns_max = 1000;
  /// How often look_after() is to be called: a tick.
  static constexpr Duration upkeep_period = std::chrono::seconds(1);
  static constexpr int return_ticks = 600;
  /// One line of each kind for an endpoint in this time.
  static constexpr int line_ticks = 10;

  /// Takes over a listening socket for `endpoint`.
  using Bind = std::function<Status(const std::string& endpoint, int listener_fd)>;

  IpcEndpoints(Log& log, Bind bind) : log_(log), bind_(std::move(bind)) {}

  /// See EndpointGuard::claim; binds.
  Status claim(const std::string& endpoint, std::uint32_t mode, const std::string& group);
  /// Restores the removed files.
  void look_after();
  /// Nobody new can connect, those who are connected stay so.
  void remove_paths();

  void clear() { claimed_.clear(); }

 private:
  struct Claimed {
    std::string endpoint;
    EndpointGuard guard;
    bool is_unreachable = false;
    int returned = 0;  ///< untold
    bool is_loss_untold = false;
    std::string because{};  ///< it is unreachable
    int return_quiet = 0;   ///< ticks until the next line
    int loss_quiet = 0;
  };

  Status bind(const std::string& endpoint, EndpointGuard& guard);
  void put_back(Claimed& one);
  void tell(Claimed& one);

  Log& log_;
  Bind bind_;
  std::vector<Claimed> claimed_;
  int returns_ = 0;  ///< goes down with time
  int ticks_ = 0;
};

}  // namespace outrider::sidecar
