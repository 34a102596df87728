#include "sidecar/base/ipc_endpoints.hpp"

#include <utility>

namespace outrider::sidecar {

Status IpcEndpoints::claim(const std::string& endpoint, std::uint32_t mode,
                           const std::string& group) {
  Result<EndpointGuard> guard = EndpointGuard::claim(endpoint.substr(scheme.size()), mode, group);
  if (!guard.ok()) return guard.error();
  if (Status status = bind(endpoint, guard.value()); !status.ok()) {
    return Error{"cannot listen on " + endpoint + ": " + status.error().message};
  }
  claimed_.push_back({endpoint, std::move(guard.value())});
  return Nothing{};
}

Status IpcEndpoints::bind(const std::string& endpoint, EndpointGuard& guard) {
  const int fd = guard.take_listener();
  return fd < 0 ? Status(Nothing{}) : bind_(endpoint, fd);
}

void IpcEndpoints::look_after() {
  for (Claimed& one : claimed_) {
    if (one.guard.is_displaced()) put_back(one);
  }
}

void IpcEndpoints::put_back(Claimed& one) {
  Status status = Error{"it was removed too often; restart the sidecar"};
  if (returns_ < returns_max) status = one.guard.reclaim();
  if (status.ok()) status = bind(one.endpoint, one.guard);
  if (status.ok()) {
    ++returns_;
    one.is_unreachable = false;
    log_.warn("the socket's file or its lock was removed; it is back, and clients find it again",
              {{"endpoint", one.endpoint}});
  } else if (!std::exchange(one.is_unreachable, true)) {
    log_.error(
        "the socket's file or its lock was removed and cannot be put back; no new client "
        "reaches the sidecar; trying every second",
        {{"endpoint", one.endpoint}, {"because", status.error().message}});
  }
}

void IpcEndpoints::remove_paths() {
  for (Claimed& one : claimed_) one.guard.remove_path();
}

}  // namespace outrider::sidecar
