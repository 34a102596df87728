// MemoryMark: the number of events that are only in memory, kept in a file that survives a crash,
// so that the next run can report how many the crash has lost.
//
// Used by Host, which opens it beside the spool, and App, which sets it each turn: eight bytes of a
// file. A disk may hang or be frozen, and then even a store into a mapped page waits. So set() only
// notes the number, and the mark's own thread writes it, at most once in `period`. After SIGKILL
// the number is up to `period` old, or older if the disk was slower than that; writes that the
// kernel has taken are safe. After a power loss it may be older still, or missing. A removed file
// is made again when the number changes.
//
// Thread: the sidecar's one. Construction waits for the disk, and destruction waits for `end_wait`
// at most. Owns: the file, together with its thread; a thread that hangs keeps the file. Borrows:
// the log. Fails with: a line in the log; then the loss of a crash is not counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <sys/types.h>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/helper_thread.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class MemoryMark {
 public:
  static constexpr Duration period = std::chrono::milliseconds(10);
  static constexpr std::chrono::milliseconds end_wait{1000};

  /// As pwrite(); tests give one that hangs.
  using Write = ssize_t (*)(int fd, const void* data, std::size_t bytes, off_t offset);

  /// Beside the spool at `path`.
  MemoryMark(const std::string& path, Log& log);
  MemoryMark(const std::string& path, Log& log, Write write);
  ~MemoryMark();
  MemoryMark(const MemoryMark&) = delete;
  MemoryMark& operator=(const MemoryMark&) = delete;

  /// The number of events that the last run had in memory when it ended; 0 after a regular
  /// shutdown.
  std::uint64_t left_by_last_run() const { return left_by_last_run_; }

  void set(std::uint64_t events, MonoTime now) {
    events_ = events;
    if (now >= next_deadline()) hand_over(now);
  }

  /// When set() is to be called again, though the number may be the same.
  MonoTime next_deadline() const {
    return file_ == nullptr || events_ == handed_over_ ? never : may_write_at_;
  }

 private:
  struct File;

  void hand_over(MonoTime now);
  void give_up(int error);

  const std::string path_;
  Log& log_;
  std::shared_ptr<File> file_;  ///< none: given up
  HelperThread thread_;
  std::uint64_t events_ = 0;
  std::uint64_t handed_over_ = 0;  ///< to the thread
  MonoTime may_write_at_{};
  std::uint64_t left_by_last_run_ = 0;
};

}  // namespace outrider::sidecar
