// SpoolWatch: notices that another process has changed the spool, or has removed its lock file.
//
// Used by Host. Commands touch the lock file when they have changed something: touch_spool(). The
// watch sees both through inotify and costs nothing while nothing happens. The storage thread asks
// it to watch each lock file that it takes; if the system does not allow that, the storage thread
// checks the file itself.
//
// Thread: the sidecar's one, except watch(). Owns: the inotify descriptor. Borrows: the reactor.
// Fails with: false; then it will notice nothing.
#pragma once

#include <functional>
#include <string>

#include "sidecar/base/reactor.hpp"

namespace outrider::sidecar {

class SpoolWatch {
 public:
  SpoolWatch(Reactor& reactor, std::function<void()> on_change);
  ~SpoolWatch();
  SpoolWatch(const SpoolWatch&) = delete;
  SpoolWatch& operator=(const SpoolWatch&) = delete;

  /// From now on the file that has this name; one that was watched before is watched on as long as
  /// it exists. Safe from any thread.
  bool watch(const std::string& lock_file) const;

 private:
  Reactor& reactor_;
  int fd_;
};

}  // namespace outrider::sidecar
