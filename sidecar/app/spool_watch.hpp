// SpoolWatch: notices that another process, an inspection command, has changed the spool.
//
// Used by Host; touch_spool() by `outrider dead`. The command touches the spool's lock file when it
// is done; the watch sees that through inotify and costs nothing in between.
//
// Thread: the sidecar's one. Owns: the inotify descriptor. Borrows: the reactor. Fails with:
// nothing; without inotify the changes are seen with the next thing that is written.
#pragma once

#include <functional>
#include <string>

#include "sidecar/base/reactor.hpp"

namespace outrider::sidecar {

class SpoolWatch {
 public:
  SpoolWatch(const std::string& path, Reactor& reactor, std::function<void()> on_change);
  ~SpoolWatch();
  SpoolWatch(const SpoolWatch&) = delete;
  SpoolWatch& operator=(const SpoolWatch&) = delete;

 private:
  Reactor& reactor_;
  int fd_;
};

/// Tells the sidecar that uses this spool, if there is one.
void touch_spool(const std::string& path);

}  // namespace outrider::sidecar
