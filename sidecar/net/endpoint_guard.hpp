// EndpointGuard: makes sure that the path of an ipc endpoint belongs only to this sidecar, and
// listens on it.
//
// Used by IpcEndpoints for each ipc:// endpoint that a socket is bound to. ZeroMQ itself deletes
// whatever is at the path, and so silently steals the socket of a running sidecar. The guard takes
// a lock on PATH.lock, probes an existing socket by connecting to it, removes it only if nobody
// answers, and sets owner and mode of the listening socket before the first client can connect: the
// path never allows more than it should.
//
// A forked child gives up its copy of the lock (SocketGate). While the sidecar runs, the owner of
// the guard checks now and then whether the path is still its own, because programs clean up
// temporary folders.
//
// Thread: the sidecar's one thread; blocks only in claim(), which asks the name service for the
// group. Owns: the lock, and the path while it is its own. Fails with: an Error that names the path
// and what to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

class EndpointGuard {
 public:
  /// Connections that wait to be accepted.
  static constexpr int backlog_max = 1024;

  /// Claims `path`. `group` may be empty: the process's own.
  static Result<EndpointGuard> claim(const std::string& path, std::uint32_t mode,
                                     const std::string& group);

  EndpointGuard(EndpointGuard&& other) noexcept;
  EndpointGuard& operator=(EndpointGuard&&) = delete;
  EndpointGuard(const EndpointGuard&) = delete;
  EndpointGuard& operator=(const EndpointGuard&) = delete;
  /// Removes the socket and the lock file, unless somebody has put another in their place.
  ~EndpointGuard();

  /// The socket's file, or the lock's, was removed or replaced: new clients cannot find us, or a
  /// second sidecar could start beside us.
  bool is_displaced() const;
  /// Takes the path again, with a new listening socket where the old one cannot be reached any
  /// more.
  Status reclaim();

  /// The listening socket, non-blocking; the caller closes it. -1: there is no new one.
  int take_listener();

  /// Removes the path: new clients cannot connect, connected ones stay so.
  void remove_path();

 private:
  EndpointGuard(std::string path, std::uint32_t mode, std::optional<gid_t> gid)
      : path_(std::move(path)), mode_(mode), gid_(gid) {}
  bool has_path() const;
  bool has_lock() const;
  Status lock();
  Status clear_stale_socket() const;
  Status listen();
  std::string lock_path() const { return path_ + ".lock"; }

  std::string path_;
  std::uint32_t mode_;
  std::optional<gid_t> gid_;  ///< the name service is asked once, at the start
  int lock_fd_ = -1;
  int listener_fd_ = -1;
  dev_t device_ = 0;  ///< the identity of our socket on disk, so as to remove no other
  ino_t inode_ = 0;
  bool owns_path_ = false;
};

}  // namespace outrider::sidecar
