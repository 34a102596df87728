// fault_point as the test build of the sidecar (outrider_faulty) has it, in the place of the empty
// one: OUTRIDER_FAULT_POINT=NAME[:N] ends the process by SIGKILL when it passes the point NAME for
// the N-th time, on whatever thread.
//
// It has a point of its own, mid_checkpoint, passed with each page that a checkpoint writes, when
// half of that page is in the file.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sqlite3.h>
#include <unistd.h>

#include "sidecar/base/fault_point.hpp"

namespace outrider::sidecar {
namespace {

struct Target {
  std::string name;
  long passes = 1;
};

Target target_from_environment() {
  const char* given = std::getenv("OUTRIDER_FAULT_POINT");
  const std::string text = given == nullptr ? "" : given;
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return {text};
  return {text.substr(0, colon), std::stol(text.substr(colon + 1))};
}

void pass(std::string_view name) {
  static const Target target = target_from_environment();
  static std::atomic<long> passes = 0;
  if (name == target.name && ++passes == target.passes) kill(getpid(), SIGKILL);
}

/// A checkpoint writes to the database and to nothing else, on the storage thread.
thread_local bool is_in_checkpoint = false;

ssize_t write_in_halves(int fd, const void* page, size_t bytes, off64_t offset) {
  if (is_in_checkpoint) {
    const ssize_t half = pwrite64(fd, page, bytes / 2, offset);
    if (half < 0) return half;
    pass("mid_checkpoint");
  }
  return pwrite64(fd, page, bytes, offset);
}

bool replace_page_write() {
  sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
  for (const char* name : {"pwrite64", "pwrite"}) {
    if (vfs->xGetSystemCall(vfs, name) == nullptr) continue;
    vfs->xSetSystemCall(vfs, name, reinterpret_cast<sqlite3_syscall_ptr>(write_in_halves));
    return true;
  }
  return false;
}

}  // namespace

void fault_point(const char* name) {
  const std::string_view point = name;
  if (point == "before_checkpoint") {
    static const bool is_replaced = replace_page_write();
    is_in_checkpoint = is_replaced;
  }
  if (point == "after_checkpoint") is_in_checkpoint = false;
  pass(point);
}

}  // namespace outrider::sidecar
