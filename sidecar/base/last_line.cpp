#include "sidecar/base/last_line.hpp"

#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace outrider::sidecar {

void end_last_line(int fd) {
  struct stat opened {};
  if (fstat(fd, &opened) != 0 || !S_ISREG(opened.st_mode) || opened.st_size == 0) return;
  const bool appends =
      (fcntl(fd, F_GETFL) & O_APPEND) != 0 || lseek(fd, 0, SEEK_CUR) == opened.st_size;
  if (!appends) return;
  // The same file, whatever its path means by now; `fd` itself can only be written.
  const int reader = open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC);
  if (reader < 0) return;
  char last = '\n';
  [[maybe_unused]] const ssize_t count = pread(reader, &last, 1, opened.st_size - 1);
  close(reader);
  if (last == '\n') return;
  [[maybe_unused]] const ssize_t written = write(fd, "\n", 1);
}

}  // namespace outrider::sidecar
