// MemoryMark: how many events the sidecar has in memory only, kept where a crash leaves it, so that
// the next run can say how many the crash has cost.
//
// Used by Host, which opens it beside the spool, and App, which sets it each turn: eight bytes of a
// file. A disk may hang or be frozen, and then even a store into a mapped page waits. So set() only
// notes the number, and a thread of the mark's own writes it, once in `period` at most. After
// SIGKILL the number is up to `period` old, and older if the disk had not taken it for longer; the
// kernel still has what it took. After a loss of power it may be older, or gone. A file that was
// removed is made again when the number changes.
//
// Thread: the sidecar's one. Waits for the disk when it is made, as all that is opened does, and
// for `end_wait` at most at its end. Owns: the file, together with its thread, which one that hangs
// is left to. Borrows: the log. Fails with: a line in the log; what a crash costs is not counted
// then.
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

  /// What the last run had in memory when it ended; 0 if it has ended in good order.
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
