#include "sidecar/spool/memory_mark.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

constexpr std::size_t file_bytes = sizeof(std::uint64_t);

}  // namespace

MemoryMark::MemoryMark(const std::string& path) {
  const std::string name = path + ".memory";
  const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  if (::ftruncate(fd, file_bytes) == 0) {
    void* mapped = ::mmap(nullptr, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED) events_ = static_cast<volatile std::uint64_t*>(mapped);
  }
  ::close(fd);
  if (events_ == nullptr) return;
  left_by_last_run_ = *events_;
  *events_ = 0;
}

MemoryMark::~MemoryMark() {
  if (events_ != nullptr) ::munmap(const_cast<std::uint64_t*>(events_), file_bytes);
}

void MemoryMark::set(std::uint64_t events) {
  if (events_ != nullptr && *events_ != events) *events_ = events;
}

}  // namespace outrider::sidecar
