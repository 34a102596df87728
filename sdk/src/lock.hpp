// Lock: a mutex that is tried a few times before the thread sleeps on it, for sections of a few
// nanoseconds. Used by the buffer. Thread: any.
#pragma once

#include <mutex>

namespace outrider::sdk {

class Lock {
 public:
  void lock() {
    for (int tries = 0; tries < tries_max; ++tries) {
      if (mutex_.try_lock()) return;
      relax();
    }
    mutex_.lock();
  }
  void unlock() { mutex_.unlock(); }

 private:
  static constexpr int tries_max = 100;

  static void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::mutex mutex_;
};

}  // namespace outrider::sdk
