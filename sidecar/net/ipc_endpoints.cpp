#include "sidecar/net/ipc_endpoints.hpp"

#include <utility>

namespace outrider::sidecar {

Status IpcEndpoints::claim(const std::string& endpoint, std::uint32_t mode,
                           const std::string& group) {
  Result<EndpointGuard> guard =
      EndpointGuard::claim(endpoint.substr(endpoint.find("://") + 3), mode, group);
  if (!guard.ok()) return guard.error();
  if (Status status = bind(endpoint, guard.value()); !status.ok()) {
    return Error{"cannot listen on " + endpoint + ": " + status.error().message};
  }
  claimed_.push_back({.endpoint = endpoint, .guard = std::move(guard.value())});
  return Nothing{};
}

Status IpcEndpoints::bind(const std::string& endpoint, EndpointGuard& guard) {
  const int fd = guard.take_listener();
  return fd < 0 ? Status(Nothing{}) : bind_(endpoint, fd);
}

void IpcEndpoints::look_after() {
  if (++ticks_ % return_ticks == 0 && returns_ > 0) --returns_;
  for (Claimed& one : claimed_) {
    if (one.guard.is_displaced()) put_back(one);
    tell(one);
  }
}

void IpcEndpoints::put_back(Claimed& one) {
  Status status = Error{"it is removed again and again; the sidecar tries every 10 minutes"};
  if (returns_ < returns_max) status = one.guard.reclaim();
  if (status.ok()) status = bind(one.endpoint, one.guard);
  if (status.ok()) {
    ++returns_;
    ++one.returned;
    one.is_unreachable = one.is_loss_untold = false;
  } else {
    one.because = status.error().message;
    if (!std::exchange(one.is_unreachable, true)) one.is_loss_untold = true;
  }
}

void IpcEndpoints::tell(Claimed& one) {
  if (one.return_quiet > 0) --one.return_quiet;
  if (one.loss_quiet > 0) --one.loss_quiet;
  if (one.returned > 0 && one.return_quiet == 0) {
    one.return_quiet = line_ticks;
    log_.warn(
        "the socket's file or its lock was removed; it was restored, and clients reconnect",
        {{"endpoint", one.endpoint}, {"times", std::to_string(std::exchange(one.returned, 0))}});
  }
  if (one.is_loss_untold && one.loss_quiet == 0) {
    one.loss_quiet = line_ticks;
    one.is_loss_untold = false;
    log_.error(
        "the socket's file or its lock was removed and cannot be restored; new clients cannot "
        "connect, and the sidecar keeps trying",
        {{"endpoint", one.endpoint}, {"because", one.because}});
  }
}

void IpcEndpoints::remove_paths() {
  for (Claimed& one : claimed_) one.guard.remove_path();
}

}  // namespace outrider::sidecar
