#include "sidecar/arguments/standard_output.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace outrider::sidecar {

bool has_lost_reader() {
  struct stat found {};
  if (fstat(STDOUT_FILENO, &found) != 0) return false;
  if (!S_ISFIFO(found.st_mode) && !S_ISSOCK(found.st_mode)) return false;
  // The errno of the write may be another's by now.
  pollfd output{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace outrider::sidecar
