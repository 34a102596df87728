// Reactor: the one place where the sidecar's thread sleeps, on epoll.
//
// Used by the run loop, and by the sockets behind sources and transports, which register their
// file descriptors. Thread: belongs to one thread, except wake(). Owns: the epoll and wake-up
// descriptors, not the registered ones; the caller that adds a descriptor removes it before closing
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

class Reactor {
 public:
  /// Called with the epoll events that are ready.
  using Callback = std::function<void(std::uint32_t events)>;

  Reactor();
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Watches `fd` for `events` (EPOLLIN, EPOLLOUT); again with other events or another callback to
  /// change them. A callback may set and remove any descriptor, its own too.
  void set(int fd, std::uint32_t events, Callback callback);
  void remove(int fd);

  /// Sleeps until a descriptor is ready, wake() is called or `timeout` has passed, then runs the
  /// callbacks. A timeout of zero only looks. Returns how many callbacks it ran.
  int wait(Duration timeout);

  /// Ends a wait, or the next one. Safe from any thread and from a signal handler.
  void wake() const;

 private:
  int epoll_fd_;
  int wake_fd_;
  // By shared pointer: a callback stays alive while it runs, even if it removes itself.
  std::unordered_map<int, std::shared_ptr<Callback>> callbacks_;
};

}  // namespace outrider::sidecar
