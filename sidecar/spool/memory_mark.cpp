#include "sidecar/spool/memory_mark.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

constexpr std::size_t file_bytes = sizeof(std::uint64_t);

/// 0, or the errno. `left`: what stands in the file, 0 if it is new.
int map_file(const std::string& path, void*& mapped, std::uint64_t& left) {
  // Non-blocking for the case that it is a pipe.
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (fd < 0) return errno;
  int error = ::posix_fallocate(fd, 0, file_bytes);
  if (error == 0 && ::pread(fd, &left, file_bytes, 0) != file_bytes) error = EIO;
  if (error == 0) {
    void* const at = ::mmap(nullptr, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
      error = errno;
    } else {
      mapped = at;
    }
  }
  ::close(fd);
  return error;
}

}  // namespace

MemoryMark::MemoryMark(const std::string& path, Log& log) : path_(path + ".memory"), log_(log) {
  std::uint64_t left = 0;
  if (const int error = map_file(path_, mapped_, left); error != 0) {
    give_up(error);
    return;
  }
  counter_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (counter_fd_ < 0) {
    give_up(errno);
    return;
  }
  left_by_last_run_ = left > 0 ? left - 1 : 0;
  store(0);
}

MemoryMark::~MemoryMark() {
  if (mapped_ != nullptr) ::munmap(mapped_, file_bytes);
  if (counter_fd_ >= 0) ::close(counter_fd_);
}

void MemoryMark::store(std::uint64_t events) {
  // One more than there are, for a counter of zero cannot be read.
  const std::uint64_t value = events + 1;
  if (::write(counter_fd_, &value, sizeof value) != sizeof value ||
      ::read(counter_fd_, mapped_, file_bytes) != file_bytes) {
    return give_up(errno);
  }
  events_ = events;
}

void MemoryMark::give_up(int error) {
  if (mapped_ != nullptr) ::munmap(std::exchange(mapped_, nullptr), file_bytes);
  const std::string reason = error == EFAULT ? "the file was cut off, or its disk has no room"
                                             : std::generic_category().message(error);
  log_.warn("what a crash would cost cannot be counted until the next start",
            {{"file", path_}, {"because", reason}});
}

}  // namespace outrider::sidecar
