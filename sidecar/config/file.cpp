#include "sidecar/config/file.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/base/units.hpp"
#include "sidecar/config/messages.hpp"

namespace outrider::sidecar {
namespace {

Error unreadable(const std::string& path, int error) {
  return {"file " + in_quotes(path) + " cannot be read: " + std::generic_category().message(error)};
}

Result<std::string> read_open_file(int fd, const std::string& path, std::size_t bytes_max) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return unreadable(path, errno);
  if (S_ISDIR(status.st_mode)) return Error{"file " + in_quotes(path) + " is a directory"};
  if (!S_ISREG(status.st_mode)) return Error{"file " + in_quotes(path) + " is not a regular file"};
  std::string text;
  char block[16384];
  for (;;) {
    const ssize_t got = read(fd, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(path, errno);
    if (got == 0) return text;
    text.append(block, static_cast<std::size_t>(got));
    if (text.size() > bytes_max) {
      return Error{"file " + in_quotes(path) + " is larger than " + format_size(bytes_max)};
    }
  }
}

std::int64_t whole_ns(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Result<std::string> read_regular_file(const std::string& path, std::size_t bytes_max) {
  // Non-blocking: else opening a pipe waits for somebody who writes.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return unreadable(path, errno);
  Result<std::string> text = read_open_file(fd, path, bytes_max);
  close(fd);
  return text;
}

FileState look_at_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
          whole_ns(status.st_mtim), whole_ns(status.st_ctim)};
}

}  // namespace outrider::sidecar
