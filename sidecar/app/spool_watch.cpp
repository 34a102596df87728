#include "sidecar/app/spool_watch.hpp"

#include <array>
#include <utility>

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace outrider::sidecar {

SpoolWatch::SpoolWatch(Reactor& reactor, std::function<void()> on_change)
    : reactor_(reactor), fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (fd_ < 0) return;
  reactor_.set(fd_, EPOLLIN, [this, changed = std::move(on_change)](std::uint32_t) {
    std::array<char, 4096> events;
    while (read(fd_, events.data(), events.size()) > 0) {
    }
    changed();
  });
}

SpoolWatch::~SpoolWatch() {
  if (fd_ < 0) return;
  reactor_.remove(fd_);
  close(fd_);
}

/// Removing a file changes its attributes, as long as a process has it open.
bool SpoolWatch::watch(const std::string& lock_file) const {
  return fd_ >= 0 && inotify_add_watch(fd_, lock_file.c_str(), IN_ATTRIB | IN_MOVE_SELF) >= 0;
}

}  // namespace outrider::sidecar
