// A process whose address space has room for some stacks of threads and no more, as under
// `ulimit -v`; root too. For a child process, which has few threads of its own.
#pragma once

#include <cstdint>
#include <fstream>

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace outrider::test {

class AddressSpace {
 public:
  /// Larger than what stacks of the parent's threads have left behind.
  static constexpr std::uint64_t stack_bytes = 32U << 20U;

  AddressSpace() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
  }

  /// Room for so many threads, and half of one for everything else.
  static bool leave_room_for(std::uint64_t threads) {
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const std::uint64_t used = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    return pages > 0 && limit(used + threads * stack_bytes + stack_bytes / 2);
  }
  static bool end() { return limit(RLIM_INFINITY); }

 private:
  static bool limit(std::uint64_t bytes) {
    rlimit now{};
    if (getrlimit(RLIMIT_AS, &now) != 0) return false;
    now.rlim_cur = bytes < now.rlim_max ? bytes : now.rlim_max;
    return setrlimit(RLIMIT_AS, &now) == 0;
  }
};

}  // namespace outrider::test
