#include "sidecar/base/reactor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace outrider::sidecar {

Reactor::Reactor()
    : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)), wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (epoll_fd_ < 0 || wake_fd_ < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot create an epoll instance");
  }
  set(wake_fd_, EPOLLIN, [this](std::uint32_t) {
    std::uint64_t count = 0;
    while (read(wake_fd_, &count, sizeof count) > 0) {
    }
  });
}

Reactor::~Reactor() {
  close(wake_fd_);
  close(epoll_fd_);
}

void Reactor::set(int fd, std::uint32_t events, Callback callback) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  const bool is_known = callbacks_.contains(fd);
  if (epoll_ctl(epoll_fd_, is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0 &&
      errno == ENOENT) {
    // The descriptor was closed and opened again under the same number.
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
  }
  callbacks_[fd] = std::make_shared<Callback>(std::move(callback));
}

void Reactor::remove(int fd) {
  if (callbacks_.erase(fd) != 0) epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

int Reactor::wait(Duration timeout) {
  std::array<epoll_event, 64> ready;
  // Rounded up: waking a moment too early would turn the loop for nothing.
  const auto timeout_ms = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  const int count =
      epoll_wait(epoll_fd_, ready.data(), static_cast<int>(ready.size()),
                 static_cast<int>(std::clamp<std::int64_t>(timeout_ms, 0, 3'600'000)));
  int called = 0;
  for (int i = 0; i < count; ++i) {
    const auto& event = ready[static_cast<std::size_t>(i)];
    const auto found = callbacks_.find(event.data.fd);
    if (found == callbacks_.end()) continue;
    const std::shared_ptr<Callback> callback = found->second;
    (*callback)(event.events);
    ++called;
  }
  return called;
}

void Reactor::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

}  // namespace outrider::sidecar
