#include "sidecar/net/read_budget.hpp"

#include <cerrno>
#include <limits>
#include <utility>

#include <sys/syscall.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

constexpr std::int64_t unlimited = std::numeric_limits<std::int64_t>::max();

thread_local std::int64_t left_bytes = unlimited;

}  // namespace

ReadBudget::ReadBudget(std::int64_t bytes) : outer_(std::exchange(left_bytes, bytes)) {}

ReadBudget::~ReadBudget() {
  left_bytes = outer_;
}

bool ReadBudget::is_spent() const {
  return left_bytes <= 0;
}

ssize_t ReadBudget::recv(int fd, void* data, std::size_t bytes, int flags) {
  if (left_bytes <= 0) {
    errno = EAGAIN;
    return -1;
  }
  const ssize_t got = syscall(SYS_recvfrom, fd, data, bytes, flags, nullptr, nullptr);
  if (left_bytes != unlimited && got > 0) left_bytes -= got + read_cost_bytes;
  return got;
}

}  // namespace outrider::sidecar
