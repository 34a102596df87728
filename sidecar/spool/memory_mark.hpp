// MemoryMark: how many events the sidecar has in memory only, kept where a crash leaves it, so that
// the next run can say how many the crash has cost.
//
// Used by Host, which opens it beside the spool, and App, which sets it each turn: eight bytes of a
// mapped file. After SIGKILL it is as of the last turn; after a loss of power it may be older.
//
// A store into a mapped file ends the process with SIGBUS when the disk is full or somebody has cut
// the file off. So its bytes are allocated first, and the kernel stores them for us, by a read()
// into the mapping: what cannot be stored is an error then. It costs two system calls in a turn
// that has changed the number, which touch no file.
//
// Thread: the sidecar's one. Owns: the mapping. Borrows: the log. Fails with: a line in the log;
// what a crash costs is not counted then.
#pragma once

#include <cstdint>
#include <string>

#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class MemoryMark {
 public:
  /// Beside the spool at `path`.
  MemoryMark(const std::string& path, Log& log);
  ~MemoryMark();
  MemoryMark(const MemoryMark&) = delete;
  MemoryMark& operator=(const MemoryMark&) = delete;

  /// What the last run had in memory when it ended; 0 if it has ended in good order.
  std::uint64_t left_by_last_run() const { return left_by_last_run_; }

  void set(std::uint64_t events) {
    if (mapped_ != nullptr && events != events_) store(events);
  }

 private:
  void store(std::uint64_t events);
  void give_up(int error);

  const std::string path_;
  Log& log_;
  void* mapped_ = nullptr;
  int counter_fd_ = -1;
  std::uint64_t events_ = 0;
  std::uint64_t left_by_last_run_ = 0;
};

}  // namespace outrider::sidecar
