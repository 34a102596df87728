#include "sidecar/base/ticker.hpp"

#include <cstdint>
#include <utility>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace outrider::sidecar {

Ticker::Ticker(Reactor& reactor, Duration period, std::function<void()> on_tick)
    : reactor_(reactor), fd_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (fd_ < 0) return;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(period);
  const timespec each{seconds.count(), (period - seconds).count()};
  const itimerspec times{each, each};
  timerfd_settime(fd_, 0, &times, nullptr);
  reactor_.set(fd_, EPOLLIN, [this, tick = std::move(on_tick)](std::uint32_t) {
    std::uint64_t ticks = 0;
    if (read(fd_, &ticks, sizeof ticks) > 0) tick();
  });
}

Ticker::~Ticker() {
  if (fd_ < 0) return;
  reactor_.remove(fd_);
  close(fd_);
}

}  // namespace outrider::sidecar
