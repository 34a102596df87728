#include "sidecar/cli/service_status.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <unistd.h>

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"

namespace outrider::sidecar {

std::optional<Duration> watchdog_interval() {
  const char* const pid = std::getenv("WATCHDOG_PID");    // NOLINT(concurrency-mt-unsafe)
  const char* const text = std::getenv("WATCHDOG_USEC");  // NOLINT(concurrency-mt-unsafe)
  if (text == nullptr || (pid != nullptr && pid != std::to_string(getpid()))) return std::nullopt;
  const auto count = parse_count(text);
  constexpr auto day = std::chrono::microseconds(std::chrono::hours(24));
  if (!count.ok() || count.value() == 0) return std::nullopt;
  return std::chrono::microseconds(
      std::min(count.value(), static_cast<std::uint64_t>(day.count())));
}

ServiceStatus::ServiceStatus(std::size_t destinations, std::optional<Duration> watchdog, Send send)
    : destinations_(destinations), send_(std::move(send)) {
  if (watchdog) sign_interval_ = *watchdog / 2;
}

void ServiceStatus::ready() {
  send_("READY=1\nSTATUS=running with " + counted(destinations_, "destination"));
}

void ServiceStatus::reloading(MonoTime now) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
  send_("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us.count()) +
        "\nSTATUS=reloading the configuration");
}

void ServiceStatus::reloaded(std::size_t destinations) {
  destinations_ = destinations;
  if (!is_stopping_) ready();
}

MonoTime ServiceStatus::turn(MonoTime now, bool is_stopping) {
  if (is_stopping && !is_stopping_) {
    is_stopping_ = true;
    next_extension_ = now;
    send_("STOPPING=1\nSTATUS=stopping: delivers what it holds");
  }
  if (now >= next_extension_) {
    next_extension_ = now + extension_interval;
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(extension).count();
    send_("EXTEND_TIMEOUT_USEC=" + std::to_string(us));
  }
  if (!sign_interval_) return next_extension_;
  if (now >= next_sign_) {
    next_sign_ = now + *sign_interval_;
    send_("WATCHDOG=1");
  }
  return std::min(next_sign_, next_extension_);
}

}  // namespace outrider::sidecar
