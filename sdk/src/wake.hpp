// Wake: what other threads wake a sleeping thread with, through poll().
//
// Used by Shipper and Courier. Thread: wake() from any; the rest belongs to the thread that sleeps,
// or comes before it starts. Owns: two sockets, for as long as its descriptors are the ones it
// opened: an application that closes every descriptor it finds, as daemons do, may get the same
// numbers for files of its own, and those are neither written, read nor closed here. A pair of
// sockets, because each has an inode of its own (all eventfds share one), because send() never
// writes to a file, and because closing one wakes the sleeper. Fails with: bool.
#pragma once

#include <atomic>
#include <cstdint>

namespace outrider::sdk {

class Wake {
 public:
  Wake() = default;
  ~Wake();
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  /// False: no descriptor left; may be tried again. What was open before is closed, or left to
  /// whoever has its numbers now.
  bool open();
  /// Whether the descriptors are still the ones that open() made.
  bool is_ours() const { return sleeper_.is_ours() && waker_.is_ours(); }
  /// What poll() finds readable after a wake().
  int fd() const { return sleeper_.fd.load(); }

  void wake() const;
  /// Forgets the wakes until now.
  void drain() const;

 private:
  struct End {
    std::atomic<int> fd = -1;
    std::atomic<std::uint64_t> inode = 0;

    bool is_ours() const;
  };

  End sleeper_;
  End waker_;
};

}  // namespace outrider::sdk
