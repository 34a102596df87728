#include "sidecar/cli/service_notify.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace outrider::sidecar {

void notify_service_manager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): never set here
  if (path == nullptr || path[0] == '\0') return;
  const std::size_t path_bytes = std::strlen(path);
  sockaddr_un address{};
  if (path_bytes >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, path_bytes);
  if (path[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace

  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  // A manager that is stuck must not hold us up.
  const timeval wait_max = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait_max, sizeof wait_max);
  sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_bytes));
  close(fd);
}

}  // namespace outrider::sidecar
