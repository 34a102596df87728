// ServiceStatus: reports to systemd while the sidecar runs: it is ready, its loop turns, it stops
// and needs more time for that.
//
// Used by run_command, whose loop calls turn(). A loop that hangs says nothing any more, so that
// systemd restarts it (WatchdogSec=) or ends it (TimeoutStopSec=).
// Thread: one. Does nothing outside of systemd; cannot fail.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sidecar/base/clock.hpp"
#include "sidecar/cli/service_notify.hpp"

namespace outrider::sidecar {

/// How long systemd waits for a sign of life; nothing if it does not.
std::optional<Duration> watchdog_interval();

class ServiceStatus {
 public:
  using Send = std::function<void(std::string_view state)>;

  /// While it stops, it asks for so much more time, so often.
  static constexpr Duration extension = std::chrono::seconds(15);
  static constexpr Duration extension_interval = std::chrono::seconds(5);

  ServiceStatus(std::size_t destinations, std::optional<Duration> watchdog,
                Send send = notify_service_manager);

  void ready();
  /// A reload begins at this time; or it has ended, with so many destinations.
  void reloading(MonoTime now);
  void reloaded(std::size_t destinations);
  /// Of each turn of the loop. Returns when it wants the next one at the latest, or `never`.
  MonoTime turn(MonoTime now, bool is_stopping);

 private:
  std::size_t destinations_;
  /// Half of what systemd waits.
  std::optional<Duration> sign_interval_;
  Send send_;
  MonoTime next_sign_ = MonoTime::min();
  MonoTime next_extension_ = never;
  bool is_stopping_ = false;
};

}  // namespace outrider::sidecar
