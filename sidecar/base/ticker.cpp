#include "sidecar/base/ticker.hpp"

#include <cstdint>
#include <utility>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

timespec timespec_of(Duration duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  return {seconds.count(), (duration - seconds).count()};
}

}  // namespace

MonoTime Ticker::first_tick(MonoTime now, Duration period) {
  return now - now.time_since_epoch() % period + period;
}

Ticker::Ticker(Reactor& reactor, Duration period, std::function<void()> on_tick)
    : reactor_(reactor), fd_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (fd_ < 0) return;
  const MonoTime first = first_tick(SystemClock().now().mono, period);
  const itimerspec times{timespec_of(period), timespec_of(first.time_since_epoch())};
  timerfd_settime(fd_, TFD_TIMER_ABSTIME, &times, nullptr);
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
